"""What modalities give: known answers, games solved by hand, and the properties that each figure is defined by."""

from collections.abc import Sequence
from itertools import pairwise, permutations
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from mmfuse.atomic import finite
from mmfuse.contribution.absence import measured, pairings
from mmfuse.contribution.contributions import contributions
from mmfuse.contribution.emap import emap
from mmfuse.contribution.encodings import Encodings
from mmfuse.contribution.game import imbalance, interactions, leave_one_out, shapley, subsets
from mmfuse.contribution.missing import curve
from mmfuse.data.batches import Batches
from mmfuse.data.columns import Padded, Stored
from mmfuse.encoders.gru import GRU
from mmfuse.encoders.identity import Identity
from mmfuse.fusion.attention import AttentionFusion
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.mean import MeanFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.selftest import known
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.pairs import Pairs
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Batch, Model, Ragged, Signal

TASKS = MappingProxyType({"answer": known.TASK})
YES_NO = Multiclass(["no", "yes"])


@pytest.fixture
def game(random):
    """Four players, and values from nowhere."""
    return {heard: float(random.normal()) for heard in subsets("abcd")}


def test_every_subset_is_there_once(game):
    assert len(game) == len(subsets("abcd")) == 2**4


def test_shares_are_those_of_every_order_of_joining(game):
    gains = {m: [] for m in "abcd"}
    for order in permutations("abcd"):
        for place, m in enumerate(order):
            gains[m].append(game[frozenset(order[: place + 1])] - game[frozenset(order[:place])])
    assert shapley(game, "abcd") == pytest.approx({m: np.mean(each) for m, each in gains.items()}, abs=1e-12)


def test_shares_add_up_to_what_all_give(game):
    assert sum(shapley(game, "abcd").values()) == pytest.approx(game[frozenset("abcd")] - game[frozenset()], abs=1e-12)


def test_who_adds_nothing_gets_nothing(game):
    without = {heard: game[heard - {"c"}] for heard in game}
    assert shapley(without, "abcd")["c"] == 0
    assert leave_one_out(without, "abcd")["c"] == 0
    assert interactions(without, "abcd")["a", "c"] == pytest.approx(0, abs=1e-12)


def test_who_adds_the_same_gets_the_same(game):
    swap = str.maketrans("ab", "ba")
    even = {h: (v + game[frozenset("".join(h).translate(swap))]) / 2 for h, v in game.items()}
    shares = shapley(even, "abcd")
    assert shares["a"] == pytest.approx(shares["b"], abs=1e-12)


def test_draws_are_games_of_their_own(game):
    both = {heard: np.array([value, 2 * value]) for heard, value in game.items()}
    for solve in (shapley, leave_one_out, interactions):
        one, two = solve(game, "abcd"), solve(both, "abcd")
        for m, share in one.items():
            assert two[m] == pytest.approx(np.array([share, 2 * share]), abs=1e-12)


def test_two_who_only_work_together():
    together = {frozenset(): 0.5, frozenset("a"): 0.5, frozenset("b"): 0.5, frozenset("ab"): 1.0}
    assert interactions(together, "ab") == {("a", "b"): 0.5}
    assert shapley(together, "ab") == {"a": 0.25, "b": 0.25}
    assert imbalance(shapley(together, "ab")) == 0


def asked_of(table):
    """A function of as many values as the table has dimensions, as EMAP asks about it."""

    def ask(places):
        return {"t": table[tuple(places[m] for m in "abc"[: table.ndim - 1])]}

    return ask


def grid(rows, modalities):
    """Every combination: (rows^M,) numbers of each modality's values."""
    every = torch.cartesian_prod(*[torch.arange(rows)] * modalities)  # (rows^M, M)
    return dict(zip("abc", every.unbind(1), strict=False))


def test_emap_of_two_is_the_formula():
    table = torch.randn(5, 5, 3, dtype=torch.double)
    places = grid(5, 2)
    i, j = places["a"], places["b"]
    wanted = table.mean(dim=1)[i] + table.mean(dim=0)[j] - table.mean(dim=(0, 1))
    assert torch.allclose(emap(asked_of(table), "ab", 5)["t"].at(places), wanted, atol=1e-12)


def test_emap_of_two_is_the_best_additive_fit():
    table = torch.randn(6, 6, 1, dtype=torch.double)
    places = grid(6, 2)
    design = torch.cat([torch.nn.functional.one_hot(places[m], 6) for m in "ab"], dim=1).double()  # (36, 12)
    wanted, *_ = np.linalg.lstsq(design.numpy(), table.flatten().numpy(), rcond=None)
    found = emap(asked_of(table), "ab", 6)["t"].at(places)[:, 0]
    assert found.numpy() == pytest.approx(design.numpy() @ wanted, abs=1e-10)


@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_emap_leaves_an_additive_function_as_it_is(modalities):
    parts = torch.randn(modalities, 5, 2, dtype=torch.double)
    table = sum(part.view(*[5 if k == m else 1 for k in range(modalities)], 2) for m, part in enumerate(parts))
    places = grid(5, modalities) if modalities > 1 else {"a": torch.arange(5)}
    table = table.expand(*[5] * modalities, 2)
    found = emap(asked_of(table), "abc"[:modalities], 5)["t"].at(places)
    assert torch.allclose(found, table.reshape(-1, 2), atol=1e-10)


@pytest.mark.parametrize("modalities", [2, 3])
def test_emap_twice_is_emap_once(modalities):
    table = torch.randn(*[5] * modalities, 2, dtype=torch.double)
    names, places = "abc"[:modalities], grid(5, modalities)
    once = emap(asked_of(table), names, 5)["t"]
    twice = emap(lambda asked: {"t": once.at(asked)}, names, 5)["t"]
    assert torch.allclose(twice.at(places), once.at(places), atol=1e-10)


def batches_of(rows: known.Rows, size: int = 250) -> list[Batch]:
    """The test rows."""
    numbers = torch.arange(known.TRAIN, known.TRAIN + known.TEST).split(size)
    return [Batch(some(rows, n).signals(slice(None)), {"answer": rows.answer[n].long()}, n) for n in numbers]


def some(rows: known.Rows, numbers: torch.Tensor) -> known.Rows:
    return known.Rows(*(part[numbers] for part in rows))


def learned(task: str, model: Model) -> list[Batch]:
    """Trains the model on the task's rows, and returns others like them."""
    rows = known.rows(task)
    optimizer = torch.optim.Adam(model.train().parameters(), lr=known.RATE)
    steps = known.EPOCHS * known.TRAIN // known.BATCH
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, known.RATE, total_steps=steps)
    for _ in range(known.EPOCHS):
        for batch in torch.randperm(known.TRAIN).split(known.BATCH):
            said = model(some(rows, batch).signals(slice(None))).predictions["answer"]
            optimizer.zero_grad()
            known.TASK.loss(said, rows.answer[batch].long()).backward()
            optimizer.step()
            falling.step()
    return batches_of(rows)


def by_concat(**sizes: int) -> FeatureFusion:
    encoders = {m: Identity(size) for m, size in (sizes or {"a": known.DIM, "b": known.DIM}).items()}
    return FeatureFusion(encoders, TASKS, ConcatFusion)


def own_accuracy(model: Model, batches: list[Batch]) -> float:
    model.eval()
    with torch.no_grad():
        right = [model(b.signals).predictions["answer"].argmax(1) == b.targets["answer"] for b in batches]
    return float(torch.cat(right).double().mean())


@pytest.fixture(scope="module", params=["xor", "additive", "unique"])
def told(request):
    """A task, the accuracy of a concatenation that has learned it, and what is told of that."""
    torch.manual_seed(0)
    model = by_concat()
    batches = learned(request.param, model)
    return request.param, own_accuracy(model, batches), contributions(model, batches, TASKS)["tasks"]["answer"]


def test_concat_on_known_data(told):
    task, accuracy, about = told
    share = {m: about["shapley"][m]["mean"] for m in "ab"}
    fused, additive = about["emap"]["model"], about["emap"]["emap"]
    assert accuracy > 0.93
    assert fused == accuracy  # all 500 rows are in the sample
    if task == "xor":
        assert additive <= 0.58
        assert about["emap"]["p"] < 1e-6
        assert share["a"] == pytest.approx(share["b"], abs=0.05)
        assert about["interaction"]["a+b"]["mean"] > 0.35
    else:
        assert abs(additive - fused) <= 0.03
    if task == "unique":
        assert share["b"] <= 0.03
        assert share["a"] >= 0.45
        assert about["imbalance"] > 0.85


def test_values_of_a_model(told):
    _, accuracy, about = told
    values = {heard: about["values"][heard]["mean"] for heard in ("", "a", "b", "a+b")}
    assert values["a+b"] == accuracy
    assert sum(each["mean"] for each in about["shapley"].values()) == pytest.approx(accuracy - values[""], abs=1e-12)
    assert values[""] == pytest.approx(0.5, abs=0.04)  # twenty permutations of 500 rows of two equal classes
    for m, other in ("ab", "ba"):
        lost = about["perceptual"][m]
        assert lost["mean"] == pytest.approx(accuracy - values[other], abs=1e-12)
        assert lost["normalised"] == pytest.approx(lost["mean"] / accuracy)


def test_curves_start_at_the_models_own_figure(told):
    _, accuracy, about = told
    curves = [about["curves"]["all"], *about["curves"]["each"].values()]
    for each in curves:
        assert each["values"][0] == accuracy  # bit for bit
        assert each["hidden"][0] == 0
        assert each["hidden"] == sorted(each["hidden"])
        heights, rates = each["values"], about["curves"]["rates"]
        trapezoids = sum((x + y) / 2 * 0.1 for x, y in pairwise(heights))
        assert each["area"] == pytest.approx(trapezoids / (rates[-1] - rates[0]))
        assert each["drop"] == pytest.approx(accuracy - each["area"])
    assert about["patterns"]["a+b"] == accuracy


def test_json_takes_it_all(told):
    import json

    json.dumps(finite(told[2]), allow_nan=False)


def test_late_average_is_its_own_emap():
    encoders = {m: Identity(known.DIM) for m in "ab"}
    model = LateFusion(encoders, TASKS, MeanFusion).eval()
    encodings = Encodings(model, batches_of(known.rows("additive")), TASKS)
    places = dict.fromkeys("ab", torch.arange(60))
    closest = emap(lambda asked: encodings.predict(encodings.at(asked)), "ab", 60)["answer"]
    own = encodings.predict(encodings.at(places))["answer"]
    assert torch.allclose(closest.at(places).float(), own, atol=1e-6)


def test_a_modality_that_is_not_listened_to_gives_nothing():
    model = by_concat()
    with torch.no_grad():
        model.fusion.mix[0].weight[:, known.DIM :] = 0
    about = contributions(model, batches_of(known.rows("additive")), TASKS, draws=3, emap_rows=0, rates=())
    found = about["tasks"]["answer"]
    assert found["shapley"]["b"] == {"mean": 0.0, "std": 0.0}
    assert found["leave_one_out"]["b"]["mean"] == found["perceptual"]["b"]["mean"] == 0
    assert found["values"]["a"]["mean"] == found["values"]["a+b"]["mean"]
    assert "emap" not in found
    assert "curves" not in found


def test_permutations_are_those_of_the_seed():
    model, batches = by_concat(), batches_of(known.rows("xor"))
    less = {"emap_rows": 0, "rates": (), "draws": 2}
    first, again, other = (
        finite(contributions(model, batches, TASKS, seed=s, **less)["tasks"]["answer"]) for s in (3, 3, 4)
    )
    assert first["values"] == again["values"]
    assert first["values"] != other["values"]


def test_what_the_rest_gives_is_as_if_it_had_been_asked_for():
    """Of three modalities; the model is asked about half of the subsets."""
    model = by_concat(a=2, b=2, c=2).eval()
    signals = {m: Signal.vector(torch.randn(51, 2), torch.rand(51) < 0.8) for m in "abc"}
    batch = Batch(signals, {"answer": torch.randint(0, 2, (51,))}, torch.arange(51))
    encodings = Encodings(model, [batch], TASKS)
    values = measured(encodings, {"answer": "accuracy"}, "permutation", 2, 7)["answer"]
    assert set(values) == set(subsets("abc"))
    for k, partner in enumerate(pairings(51, 2, 7)):
        for heard in subsets("abc")[:-1]:
            mixed = {m: s if m in heard else Signal(s.data[partner], s.mask[partner]) for m, s in signals.items()}
            with torch.no_grad():
                right = model(mixed).predictions["answer"].argmax(1) == batch.targets["answer"]
            assert values[heard][k] == pytest.approx(float(right.double().mean()), abs=1e-12)


def test_batches_of_another_size_say_the_same():
    model, rows = by_concat(), known.rows("xor")
    less = {"emap_rows": 50, "rates": (0.0, 0.5), "draws": 2, "samples": 10}
    one, other = (finite(contributions(model, batches_of(rows, size), TASKS, **less)) for size in (250, 90))
    assert one == other


def listening(to: str) -> FeatureFusion:
    """Says "yes" where the modality is there, and else "no"."""
    model = by_concat(a=1, b=1).eval()
    with torch.no_grad():
        for part in model.parameters():
            part.zero_()
        model.fusion.mix[0].weight[0, "ab".index(to)] = 1
        model.heads["answer"].linear.weight[1, 0] = 1
    return model


def all_yes(rows: range) -> list[Batch]:
    """Every row has both modalities."""
    signals = {m: Signal.vector(torch.ones(len(rows), 1), torch.ones(len(rows), dtype=torch.bool)) for m in "ab"}
    return [Batch(signals, {"answer": torch.ones(len(rows), dtype=torch.long)}, torch.tensor(rows))]


def curve_of_a(rows: range, rates: Sequence[float]) -> dict[str, Any]:
    """Where a goes missing and the model listens to nothing else: accuracy is the share of rows that have it."""
    return curve(Encodings(listening("a"), all_yes(rows), TASKS), {"answer": "accuracy"}, "a", rates, 3, 0)["answer"]


def test_so_many_are_missing_as_was_asked():
    found = curve_of_a(range(1000), [0.0, 0.2, 0.5, 1.0])
    assert found["values"] == pytest.approx([1 - share for share in found["hidden"]], abs=1e-12)
    assert found["hidden"][1:3] == pytest.approx([0.2, 0.5], abs=0.03)
    assert found["hidden"][3] == 1


def test_what_a_row_misses_hangs_on_no_other_row():
    rates = [0.0, 0.2, 0.5, 1.0]
    whole, first, rest = (curve_of_a(rows, rates)["values"] for rows in (range(400), range(100), range(100, 400)))
    assert whole == pytest.approx([0.25 * x + 0.75 * y for x, y in zip(first, rest, strict=True)], abs=1e-12)


def test_the_only_modality_goes_missing_too():
    rows = known.rows("unique")
    batches = [b._replace(signals={"a": b.signals["a"]}) for b in batches_of(rows)]
    found = curve(Encodings(by_concat(a=8).eval(), batches, TASKS), {"answer": "accuracy"}, "a", [0.0, 1.0], 1, 0)
    assert found["answer"]["hidden"] == [0, 1]


def test_a_row_keeps_the_last_of_its_modalities():
    model, batches = by_concat().eval(), batches_of(known.rows("xor"))
    encodings = Encodings(model, batches, TASKS)
    about = curve(encodings, {"answer": "accuracy"}, "ab", [0.0, 0.5, 1.0], 4, 0)["answer"]
    assert about["hidden"] == pytest.approx([0.0, 3 / 8, 1 / 2], abs=0.03)  # (1 - r) r + r^2 / 2 at r = 1/2
    assert about["hidden"][-1] == 0.5


@pytest.fixture
def steps(sequences):
    """Rows of unequal length, some without a modality, one with a hole; steps of `a` have labels, and rows do."""
    lengths = {"a": [3, 1, 5, 2, 4, 2, 3, 5], "b": [2, 0, 4, 4, 1, 0, 3, 2]}
    found = sequences({"a": 4, "b": 3}, lengths)
    found["b"].mask[2, 1] = False
    columns = {
        m: Stored(Ragged(s.data[kept], torch.tensor(lengths[m]), s.mask[kept]))
        for m, s in found.items()
        for kept in [torch.arange(s.mask.shape[1]) < torch.tensor(lengths[m])[:, None]]
    }
    targets = {
        "tag": Padded([np.arange(n) % 2 for n in lengths["a"]]),
        "whole": torch.tensor([0, 1, 0, 1, 1, -1, 0, 1]),
        "size": torch.randn(8, dtype=torch.double),
    }
    rows = Batches(columns, targets)
    tasks = {"tag": Tokens(["x", "y"], of="a"), "whole": YES_NO, "size": Regression()}
    encoders = {"a": GRU(size=4, dim=6), "b": GRU(size=3, dim=6)}
    return FeatureFusion(encoders, tasks, AttentionFusion).eval(), [rows[[0, 1, 2, 3]], rows[[4, 5, 6, 7]]], tasks


def test_sequences_that_are_not_changed_are_told_as_before(steps):
    model, batches, tasks = steps
    found = Encodings(model, batches, tasks).answers()
    with torch.no_grad():
        said = [model(batch.signals).predictions for batch in batches]
    for t, task in tasks.items():
        units = [task.units(part[t], batch.targets[t]) for part, batch in zip(said, batches, strict=True)]
        assert np.array_equal(found[t][0], task.answer(torch.cat([u.prediction for u in units])))
        assert np.array_equal(found[t][1], torch.cat([u.target for u in units]).numpy())


def test_a_pattern_is_what_the_model_says_without_the_others(steps):
    model, batches, tasks = steps
    found = contributions(model, batches, tasks, draws=2, emap_rows=4, samples=10)["tasks"]
    with torch.no_grad():
        blind = [{**b.signals, "a": Signal(b.signals["a"].data, b.signals["a"].mask & False)} for b in batches]
        said = torch.cat([model(signals).predictions["size"] for signals in blind])
    target = torch.cat([b.targets["size"] for b in batches]).numpy()
    wanted = np.abs(tasks["size"].answer(said) - target).mean()
    assert found["size"]["patterns"]["b"] == pytest.approx(wanted, abs=1e-6)
    assert found["size"]["figure"] == "mae"
    assert "values" not in found["tag"]
    assert set(found["tag"]["patterns"]) == {"a", "b", "a+b"}


def test_labelled_steps_have_values_by_mask(steps):
    model, batches, tasks = steps
    found = contributions(model, batches, tasks, absence="mask", draws=2, emap_rows=0, rates=())["tasks"]
    shares = found["tag"]["shapley"]
    values = found["tag"]["values"]
    assert sum(s["mean"] for s in shares.values()) == pytest.approx(values["a+b"]["mean"] - values[""]["mean"])
    assert values["b"]["mean"] == found["tag"]["patterns"]["b"]
    assert "perceptual" in found["whole"]
    assert "perceptual" not in found["tag"]


def test_codes_that_are_compared_have_no_part_in_it():
    encoders = {m: Identity(known.DIM) for m in "ab"}
    tasks = {"pair": Pairs(["a", "b"]), **TASKS}
    model = FeatureFusion(encoders, tasks, ConcatFusion)
    batches = [b._replace(targets={**b.targets, "pair": b.rows}) for b in batches_of(known.rows("xor"))]
    assert list(contributions(model, batches, tasks, draws=1, emap_rows=0, rates=())["tasks"]) == ["answer"]


def test_the_model_is_left_in_the_mode_it_was_in():
    model = by_concat().train()
    model.encoders.eval()
    contributions(model, batches_of(known.rows("xor")), TASKS, draws=1, emap_rows=0, rates=())
    assert model.training
    assert model.fusion.mix[2].training
    assert not model.encoders["a"].training


@pytest.mark.parametrize(
    "odd",
    [
        {"absence": "zero"},
        {"draws": 0},
        {"curve_draws": 0},
        {"rates": (0.0,)},
        {"rates": (0.1, 0.5)},
        {"figures": {"answer": "mae"}},
    ],
)
def test_what_cannot_be_is_refused(odd):
    with pytest.raises(ValueError, match=next(iter(odd))):
        contributions(by_concat(), batches_of(known.rows("xor")), TASKS, **odd)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        contributions(by_concat(), [], TASKS)
