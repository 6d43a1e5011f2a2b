"""What every model owes the rest of the code, with every fusion."""

from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from fusion_facts import DECIDES, MANY_OUTPUTS, STEPS, UNALIGNED
from torch import nn

from mmfuse import masks
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.mean import MeanFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.models.task import TaskFusion
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Signal

CONFIGS = Path(__file__).parents[1] / "configs"
TASKS = {"kind": Multiclass(["a", "b", "c"]), "answer": Multiclass(["no", "yes"]), "score": Regression()}
SIZES = {"text": 4, "audio": 5, "image": 3}
SUBSETS = [set(subset) for n in range(4) for subset in combinations(SIZES, n)]


@pytest.fixture(params=sorted((CONFIGS / "fusion").glob("*.yaml")), ids=lambda path: path.stem)
def fusion(request, build):
    return partial(build, request.param, keys=UNALIGNED.get(request.param.stem, {}))


@pytest.fixture(params=sorted((CONFIGS / "model").glob("*.yaml")), ids=lambda path: path.stem)
def model(request, build, fusion):
    encoders = {m: MLP(size, dim=8 + i) for i, (m, size) in enumerate(SIZES.items())}
    level, method, tasks = request.param.stem, fusion.args[0].stem, TASKS
    if level in ("feature", "task") and method in DECIDES:
        with pytest.raises(ValueError, match="model=late"):
            build(request.param, encoders=encoders, tasks=tasks, fusion=fusion)
        pytest.skip("fuses decisions alone")
    if level == "late" and method in MANY_OUTPUTS:
        with pytest.raises(ValueError, match=r"one class of several|one number"):
            build(request.param, encoders=encoders, tasks=tasks, fusion=fusion)
        tasks = {t: task for t, task in tasks.items() if task.size > 1}
    return build(request.param, encoders=encoders, tasks=tasks, fusion=fusion).eval()


@pytest.fixture
def signals(sequences):
    return sequences(SIZES, {"text": [6, 2, 0], "audio": [1, 0, 0], "image": [2, 3, 0]})


def test_predicts_every_task_in_its_size(model, signals):
    shapes = {t: tuple(p.shape) for t, p in model(signals).predictions.items()}
    expected = {"kind": (3, 3), "answer": (3, 2), "score": (3, 1)}
    assert shapes == {t: expected[t] for t in shapes}
    assert {"kind", "answer"} <= set(shapes)


def test_predicts_from_whatever_is_there(model, signals):
    for subset in SUBSETS:
        predictions = model(masks.keep(signals, subset)).predictions
        assert all(p.isfinite().all() for p in predictions.values()), subset


def test_says_later_what_it_would_have_said_from_less(model, signals):
    outputs = model(signals)
    less = model(masks.keep(signals, {"text"}))
    for task, prediction in outputs.predict(masks.keep(outputs.encoded, {"text"})).items():
        torch.testing.assert_close(prediction, less.predictions[task])


def test_rows_do_not_leak_into_each_other(model, signals):
    whole = model(signals).predictions
    alone = model({m: Signal(s.data[[1]], s.mask[[1]]) for m, s in signals.items()}).predictions
    for task, prediction in alone.items():
        torch.testing.assert_close(prediction, whole[task][[1]], atol=1e-5, rtol=1e-5)


def test_every_parameter_learns(model, fusion, sequences):
    if fusion.args[0].stem in STEPS and not isinstance(model, FeatureFusion):
        return  # what attends or remembers has one step there, and nothing to learn
    signals = sequences(SIZES, {"text": [6, 2, 0] * 10, "audio": [4, 0, 0] * 10, "image": [2, 3, 0] * 10})
    outputs = model(signals)  # of enough rows that no narrow relu is shut for all
    first = [p[:, 0].square().sum() for p in outputs.predictions.values()]  # all squares of a LayerNorm are constant
    sum(first + list(outputs.losses.values())).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    assert [n for n, p in model.named_parameters() if not p.grad.any()] == []


def test_late_mean_is_the_mean_of_what_each_modality_predicts(signals):
    encoders = {m: MLP(size, dim=8) for m, size in SIZES.items()}
    model = LateFusion(encoders, TASKS, MeanFusion).eval()
    found = model(signals).predictions["kind"]
    said = {m: model.heads[m]["kind"](encoders[m](s).pooled()) for m, s in signals.items()}
    torch.testing.assert_close(found[0], (said["text"][0] + said["audio"][0] + said["image"][0]) / 3)
    torch.testing.assert_close(found[1], (said["text"][1] + said["image"][1]) / 2)
    torch.testing.assert_close(found[2], torch.zeros(3))


def test_tasks_are_fused_from_their_views_and_their_own_first_answers(signals):
    """In numpy: concat's layer over each task's relu(W [z] + b) beside its first answer, in the tasks' order."""
    encoders = {m: MLP(size, dim=8) for m, size in SIZES.items()}
    model = TaskFusion(encoders, TASKS, partial(ConcatFusion, dim=6), dim=5).eval()
    read = model.read(model.encode(signals))
    found = {t: p.detach().numpy() for t, p in read.predictions.items()}
    assert {t: tuple(p.shape) for t, p in read.besides["own"].items()} == {
        "kind": (3, 3),
        "answer": (3, 2),
        "score": (3, 1),
    }
    values = {name: p.detach().numpy() for name, p in model.named_parameters()}

    def layer(name, x):
        return x @ values[f"{name}.weight"].T + values[f"{name}.bias"]

    joined = np.concatenate([encoders[m](s).pooled().detach().numpy() for m, s in signals.items()], axis=1)
    joined[2] = 0.0  # the row that has nothing
    tasks = []
    for task in TASKS:
        view = np.maximum(layer(f"views.{task}.0", joined), 0.0)
        tasks += [view, layer(f"first.{task}", view)]
    tasks[0][2] = 0.0
    there = np.concatenate(tasks, axis=1) * np.array([[1.0], [1.0], [0.0]])
    fused = np.maximum(layer("fusion.mix.0", there), 0.0) * np.array([[1.0], [1.0], [0.0]])
    for task, prediction in found.items():
        np.testing.assert_allclose(prediction, layer(f"heads.{task}.linear", fused), atol=1e-5)


@pytest.mark.parametrize("kind", [FeatureFusion, LateFusion, TaskFusion])
@pytest.mark.parametrize("name", ["type", "train", "values"])
def test_modalities_and_tasks_may_have_any_name(kind, name, sequences):
    """Names come from the user's table; torch keeps some for itself."""
    sizes = {name: 4, "other": 4}
    model = kind({m: MLP(4, dim=8) for m in sizes}, {name: Regression()}, MeanFusion)
    assert model(sequences(sizes, {m: [2] for m in sizes})).predictions[name].shape == (1, 1)


def test_linear_layers_may_start_by_glorots_rule():
    """Uniform within sqrt(6 / (in + out)), of variance 2 / (in + out), and biases of 0; encoders keep their own."""
    encoders = {m: MLP(size, dim=60) for m, size in SIZES.items()}
    before = {name: p.clone() for m, e in encoders.items() for name, p in e.named_parameters(prefix=f"encoders.{m}")}
    model = FeatureFusion(encoders, TASKS, partial(ConcatFusion, dim=100), start="glorot")
    layers = [layer for part in (model.fusion, model.heads) for layer in part.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 1 + len(TASKS)
    for layer in layers:
        assert layer.weight.abs().max() <= np.sqrt(6 / sum(layer.weight.shape))
        assert not layer.bias.any()
    assert layers[0].weight.std().item() == pytest.approx(np.sqrt(2 / (180 + 100)), rel=0.05)
    for name, p in model.named_parameters():
        assert name not in before or torch.equal(p, before[name])
    assert set(before) & {name for name, _ in model.named_parameters()}
