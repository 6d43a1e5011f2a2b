"""Stacking learns from what was said of rows by models that had not seen them."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.columns import Stored
from mmfuse.data.splits import Split
from mmfuse.errors import ConfigError, DataError
from mmfuse.fusion.stacking import StackingFusion
from mmfuse.listener import Listener
from mmfuse.record.status import Status
from mmfuse.run.build import learner
from mmfuse.run.prepare import Frozen, divide, load, prepare
from mmfuse.run.stacked import out_of_fold, refuse_unless_divided
from mmfuse.run.train import run
from mmfuse.types import Ragged, Signal

NAMES = ("image", "audio")


@pytest.fixture
def said(random):
    """(N, M, C) probabilities that tell something of (N,) classes, zeros where a modality is absent."""
    target = random.integers(0, 4, 200)
    p = random.dirichlet(np.ones(4), size=(200, 2)) + np.eye(4)[target][:, None]
    p /= p.sum(axis=2, keepdims=True)
    p[:30, 0], p[30:50, 1] = 0, 0
    return p, target


def signals(p):
    there = p.any(axis=2)
    logits = np.log(np.where(there[:, :, None], p, np.nan))
    return {m: Signal.vector(torch.tensor(logits[:, k]), torch.tensor(there[:, k])) for k, m in enumerate("ab")}


@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0, 2), (1, 2, 3)])
def test_is_scikit_learns_regression(said, classes):
    p, target = said
    kept = np.isin(target, classes)
    fusion = StackingFusion({"a": 4, "b": 4}, regularization=0.5).double()
    fusion.teach(p[kept], target[kept])
    found = fusion(signals(p)).pooled().softmax(dim=1).numpy()
    regression = LogisticRegression(C=2, max_iter=1000).fit(p[kept].reshape(-1, 8), target[kept])
    expected = np.zeros((len(p), 4))
    expected[:, classes] = regression.predict_proba(p.reshape(-1, 8))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rows_without_a_label_teach_nothing(said):
    p, target = said
    one, other = StackingFusion({"a": 4, "b": 4}), StackingFusion({"a": 4, "b": 4})
    one.teach(p[:150], target[:150])
    other.teach(p, np.where(np.arange(200) < 150, target, -1))
    torch.testing.assert_close(one.weight, other.weight)


def test_weights_by_class_count_rows_as_often(said):
    p, target = said
    one, other = StackingFusion({"a": 4, "b": 4}), StackingFusion({"a": 4, "b": 4})
    one.teach(p, target, [1.0, 3.0, 1.0, 1.0])
    often = np.repeat(np.arange(200), np.where(target == 1, 3, 1))
    other.teach(p[often], target[often])
    torch.testing.assert_close(one.weight, other.weight, atol=1e-3, rtol=1e-2)


class TestOutOfFold:
    SETTINGS = (
        "model=late",
        "fusion=stacking",
        "modalities=[image,audio]",
        "fusion.folds=3",
        "trainer.max_epochs=25",
        "early_stopping.patience=25",
        "optimizer.lr=3e-2",
        "threads=1",
        "batch_size=60",
    )

    @pytest.fixture
    def noise(self, random):
        """Two modalities of random features, wide enough to know 120 rows by heart, with random labels."""
        cfg = compose(self.SETTINGS, Catalog())
        examples = load(cfg)
        target = examples.targets["digit"]
        target[:] = random.integers(0, 2, len(target))
        prepared = prepare(cfg, examples, divide(cfg, examples)[0][1])
        columns = {
            m: Stored(Ragged(torch.randn(len(examples), 200), torch.ones(len(examples), dtype=torch.long)))
            for m in NAMES
        }
        rows = np.arange(120)
        return (
            cfg,
            examples,
            prepared._replace(
                columns=columns,
                encoded={m: Frozen(200, 0) for m in NAMES},
                preparations=dict.fromkeys(NAMES),
                split=Split(rows, rows + 200, rows + 400),
                seen=rows,
                targets={"digit": torch.from_numpy(target)},
            ),
        )

    def test_random_labels_are_not_foretold(self, noise, tmp_path):
        """Models know their own rows by heart, and of others nothing."""
        cfg, examples, prepared = noise
        target = examples.targets["digit"][:120]
        listener = Asked()
        answers = out_of_fold(cfg, examples, prepared, 0, tmp_path, listener, Status(tmp_path))["digit"]
        assert answers.shape == (120, 2, 10)
        np.testing.assert_allclose(answers.sum(axis=2), 1, atol=1e-6)
        right = (answers.mean(axis=1).argmax(axis=1) == target).mean()
        assert 0.3 < right < 0.7  # chance is .5, with a deviation of .046
        assert min(listener.losses) < 0.1  # in the sum of two modalities' losses: these rows are known
        assert listener.names == [f"part {k} of 3" for k in (1, 2, 3)]
        assert not (tmp_path / "stacking").exists()

    def test_streams_and_rare_classes_are_refused_before_training(self, noise):
        cfg, examples, prepared = noise
        model = learner(cfg, prepared, 0).model
        with pytest.raises(ConfigError, match="stream"):
            refuse_unless_divided(model, examples, prepared._replace(stream=object()), "digit")
        examples.targets["digit"][3] = 7
        with pytest.raises(DataError, match="too few"):
            refuse_unless_divided(model, examples, prepared, "digit")


class Asked(Listener):
    def __init__(self):
        self.names, self.losses = [], []

    def replicate(self, name, epochs, steps):
        self.names.append(name)

    def epoch(self, figures):
        self.losses.append(figures["train/loss"])


def test_what_is_learned_last_is_in_the_checkpoint(tmp_path):
    cfg = compose(["model=late", "fusion=stacking", "fusion.folds=2", "trainer.max_epochs=1", "threads=1"], Catalog())
    run(cfg, tmp_path, Listener())
    saved = torch.load(tmp_path / "seed-0/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert saved["model.fusion.digit.taught"]
    assert saved["model.fusion.digit.weight"].any()
