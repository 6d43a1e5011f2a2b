"""Classes of unequal size: which rows are seen, which are made, what an error costs."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from mmfuse.cli import main
from mmfuse.data.columns import Stored
from mmfuse.data.grown import grow
from mmfuse.errors import ConfigError, DataError
from mmfuse.imbalance.focal import Focal
from mmfuse.imbalance.oversample import Oversample
from mmfuse.imbalance.smote import Smote
from mmfuse.imbalance.undersample import Undersample
from mmfuse.imbalance.weights import Weights
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Ragged

CLASSES = ("a", "b", "c")
TARGET = np.array([0] * 6 + [1] * 3 + [-1] * 2 + [2] * 2)


def test_oversampling_sees_every_row_and_all_classes_as_often_as_the_largest():
    rows = Oversample().rows(TARGET)
    assert set(rows) == set(range(13))
    assert np.bincount(TARGET[rows] + 1).tolist() == [2, 6, 6, 6]  # 2 without a label, then the classes
    assert (Oversample().rows(TARGET) == rows).all()
    assert len({tuple(Oversample(seed).rows(TARGET)) for seed in range(9)}) > 1


def test_undersampling_sees_no_row_twice_and_all_classes_as_often_as_the_smallest():
    rows = Undersample().rows(TARGET)
    assert len(set(rows)) == len(rows)
    assert np.bincount(TARGET[rows] + 1).tolist() == [2, 2, 2, 2]


def test_weights_are_those_of_the_hand_and_the_loss_is_torchs():
    task = Weights().task(Multiclass(CLASSES), TARGET)
    assert task.weights == pytest.approx([11 / (3 * 6), 11 / (3 * 3), 11 / (3 * 2)])
    prediction, target = torch.randn(13, 3), torch.from_numpy(TARGET)
    expected = F.cross_entropy(prediction, target, weight=torch.tensor(task.weights), ignore_index=-1)
    torch.testing.assert_close(task.loss(prediction, target), expected)
    assert task.loss(prediction[:2], torch.tensor([-1, -1])) == 0
    absent = Weights().task(Multiclass((*CLASSES, "d")), TARGET)
    assert absent.weights == pytest.approx([*task.weights, 1.0])


def test_focal_loss_is_the_papers():
    prediction = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
    target = torch.tensor([1, 0, -1])
    p = [1 / 3, np.exp(2) / (np.exp(2) + 2)]
    for gamma in (0.5, 2.0):
        task = Focal(gamma).task(Multiclass(CLASSES), TARGET)
        by_hand = np.mean([-((1 - q) ** gamma) * np.log(q) for q in p])
        assert float(task.loss(prediction, target)) == pytest.approx(by_hand, rel=1e-5)
    plain = Focal(0.0).task(Multiclass(CLASSES), TARGET)
    torch.testing.assert_close(plain.loss(prediction, target), F.cross_entropy(prediction, target, ignore_index=-1))


def test_the_focal_losss_slope_is_finite_where_a_row_is_told_for_sure_or_has_no_label():
    prediction = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0], [1.0, 0.0, 0.0]], requires_grad=True)
    Multiclass(CLASSES, gamma=0.5).loss(prediction, torch.tensor([0, 0, -1])).backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad[1].abs().sum() > 0


@pytest.mark.parametrize("method", [Oversample(), Undersample(), Smote(), Weights(), Focal()])
def test_numbers_have_no_classes_to_balance(method):
    name = type(method).__name__.lower()
    with pytest.raises(ValueError, match=f"imbalance={name} is for classes; task 'x' is a number"):
        method.of_classes("x", Regression())


@pytest.fixture
def set_of_vectors(random):
    """40 rows, 3 classes of 20, 12 and 8, two modalities and another task; every fourth row is not for training."""
    target = torch.tensor([0, 1, 0, 2, 0, 1, 0, 0, 1, 2] * 4)
    ones = torch.ones(40, dtype=torch.long)
    columns = {
        name: Stored(Ragged(torch.from_numpy(random.standard_normal((40, width)).astype(np.float32)), ones))
        for name, width in (("left", 3), ("right", 2))
    }
    targets = {"kind": target, "size": torch.arange(40.0), "many": torch.zeros(40, 2), "other": target % 2}
    return columns, targets, np.array([row for row in range(40) if row % 4])


def smote(columns, targets, train, k=3):
    return grow(columns, targets, "kind", train, lambda v, t: Smote(k_neighbors=k).new_rows(v, t, CLASSES))


def test_a_new_row_lies_between_two_of_its_class_by_one_lambda_in_all_modalities(set_of_vectors):
    columns, _, train = set_of_vectors
    grown = smote(*set_of_vectors)
    seen = np.concatenate([train, grown.rows])
    assert len(set(torch.bincount(grown.targets["kind"][seen]).tolist())) == 1
    assert grown.rows.tolist() == list(range(40, 40 + len(grown.rows)))
    for modality, column in columns.items():
        assert torch.equal(grown.columns[modality].data[:40], column.data)
    every = torch.arange(len(grown.targets["kind"]))
    joined = torch.cat([grown.columns[m].batch(every).data[:, 0] for m in columns], dim=1).double().numpy()
    kinds = grown.targets["kind"].numpy()
    for row in grown.rows:
        found = []
        for a, b in combinations([r for r in train if kinds[r] == kinds[row]], 2):
            along, x = joined[b] - joined[a], joined[row] - joined[a]
            share = along @ x / (along @ along)
            if -1e-5 <= share <= 1 + 1e-5 and np.abs(x - share * along).max() < 1e-5:
                found.append((a, b))
        assert found, row


def test_other_tasks_have_no_label_for_a_new_row(set_of_vectors):
    grown = smote(*set_of_vectors)
    assert grown.targets["size"][40:].isnan().all()
    assert grown.targets["many"][40:].isnan().all()
    assert (grown.targets["other"][40:] == -1).all()
    for task, target in set_of_vectors[1].items():
        assert torch.equal(grown.targets[task][:40], target)


def test_new_rows_know_nothing_of_rows_that_are_not_for_training(set_of_vectors):
    columns, targets, train = set_of_vectors
    first = smote(columns, targets, train)
    held_out = np.setdiff1d(np.arange(40), train)
    for column in columns.values():
        column.data[held_out] += 100
    targets["kind"][held_out] = 0
    second = smote(columns, targets, train)
    assert len(first.rows)
    for modality in columns:
        assert torch.equal(first.columns[modality].data[40:], second.columns[modality].data[40:])


def test_what_smote_cannot_mix_is_refused(set_of_vectors):
    columns, targets, train = set_of_vectors
    with pytest.raises(DataError, match=r"class 'c' has 8 training rows.*\n.*imbalance.k_neighbors=7"):
        smote(columns, targets, train, k=8)
    film = Stored(Ragged(torch.randn(80, 3), torch.full((40,), 2)))
    bytes_ = Stored(Ragged(torch.zeros(40, 3, dtype=torch.uint8), torch.ones(40, dtype=torch.long)))
    for column in (film, bytes_):
        with pytest.raises(ConfigError, match=r"'film' is not one vector a row\n.*imbalance=oversample"):
            smote(columns | {"film": column}, targets, train)
    lengths = torch.ones(40, dtype=torch.long)
    lengths[5] = 0
    holes = Stored(Ragged(torch.randn(39, 3), lengths))
    with pytest.raises(DataError, match=r"1 of 30 training rows.*'holes'; the first is row 5\n.*policy=drop"):
        smote(columns | {"holes": holes}, targets, train)


def test_vectors_are_found_where_rows_before_them_lack_the_modality(set_of_vectors):
    columns, targets, train = set_of_vectors
    data = torch.randn(39, 1)
    lengths = torch.ones(40, dtype=torch.long)
    lengths[0] = 0  # which is not for training
    grown = smote(columns | {"holes": Stored(Ragged(data, lengths))}, targets, train)
    low, high = data.min(), data.max()
    batch = grown.columns["holes"].batch(torch.from_numpy(grown.rows))
    assert batch.mask.all()
    assert ((batch.data >= low) & (batch.data <= high)).all()


@pytest.fixture
def table(tmp_path, monkeypatch, random):
    """90 rows of two vectors, 60 : 20 : 10 of three classes."""
    monkeypatch.chdir(tmp_path)
    kinds = ["a"] * 60 + ["b"] * 20 + ["c"] * 10
    left = random.standard_normal((90, 3)) + [["abc".index(k)] for k in kinds]
    rows = {"kind": kinds, "left": map(json.dumps, left.tolist()), "right": np.arange(90) % 7, "grade": left[:, 0]}
    pd.DataFrame(rows).to_csv("rows.csv", index=False)
    return [
        *("dataset=table", "dataset.file=rows.csv", "trainer.max_epochs=1", "bootstrap=5", "threads=1"),
        "dataset.modalities={left: {kind: vector}, right: {kind: vector, columns: [right, grade]}}",
        "dataset.tasks={kind: {kind: multiclass}, grade: {kind: regression}}",
    ]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["imbalance=oversample"], "oversample: 54 -> 108 training rows an epoch"),
        (["imbalance=undersample"], "undersample: 54 -> 18 training rows an epoch"),
        (["imbalance=smote"], "smote: 54 -> 108 training rows an epoch"),
        (["imbalance=weights"], "test"),
        (["imbalance=focal", "imbalance.gamma=1.5"], "test"),
    ],
)
def test_every_method_trains_and_leaves_the_split_as_it_is(table, capsys, typed, says):
    # 60 % of 60, 20 and 10 rows train: 36, 12 and 6, which is 3 x 36 and 3 x 6 when balanced
    assert main(["train", *table, *typed]) == 0
    assert says in capsys.readouterr().out
    manifest = json.loads(Path("outputs/latest/manifest.json").read_text())
    (split,) = manifest["data"]["splits"]
    assert (split["train"], split["val"], split["test"]) == (54, 18, 18)
    said = pd.read_parquet("outputs/latest/seed-0/predictions.parquet")
    assert len(said) == 18
    assert set(said["row"]) < set(range(90))


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (["imbalance=weights", "tasks=[grade]"], 2, "imbalance=weights is for classes; task 'grade' is a number"),
        (["imbalance=smote", "imbalance.k_neighbors=6"], 3, "class 'c' has 6 training rows"),
        (["imbalance=weights", "imbalance.gamma=1.5"], 2, "unknown key 'imbalance.gamma'"),
        (["imbalance=focal", "imbalance.gamma=-1"], 2, "float >= 0"),
        (["imbalance=overssample"], 2, "did you mean 'oversample'?"),
    ],
)
def test_what_cannot_be_balanced_is_refused(table, capsys, typed, code, says):
    assert main(["train", *table, *typed]) == code
    message = capsys.readouterr().err
    assert says in message
    assert len(message.splitlines()) <= 6
    assert not list(Path("outputs").glob("*")) if Path("outputs").exists() else True
