"""Rows of one cell as one row of steps: what is joined, in which order, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from mmfuse.cli import main
from mmfuse.data.table import Table
from mmfuse.errors import ConfigError, DataError

ROWS = {
    "film": ["b", "a", "b", "a", "b"],
    "split": ["train", "test", "train", "test", "train"],
    "speaker": ["x", "y", "x", "y", "x"],
    "sound": ["[1, 2]", "[3, 4]", "", "[5, 6]", "[7, 8]"],
    "mood": ["good", "bad", "bad", "", "good"],
}
ABOUT = {"modalities": {"sound": {"kind": "sequence"}}, "tasks": {"mood": {"kind": "tokens"}}, "by": "film"}


@pytest.fixture
def table(tmp_path):
    def made(rows=ROWS, **about):
        pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
        return Table("rows.csv", root=str(tmp_path), **ABOUT | about)

    return made


def test_rows_of_one_cell_are_steps_in_the_tables_order(table):
    found = table().load(split="split", group="speaker")
    assert found.ids == ["b", "a"]
    np.testing.assert_array_equal(found.raw["sound"][0], [[1, 2], [np.nan, np.nan], [7, 8]])
    np.testing.assert_array_equal(found.raw["sound"][1], [[3, 4], [5, 6]])
    assert [labels.tolist() for labels in found.targets["mood"]] == [[1, 0, 1], [0, -1]]
    assert (found.tasks["mood"].classes, found.tasks["mood"].of) == (("bad", "good"), "sound")
    assert (found.split.tolist(), found.groups.tolist()) == (["train", "test"], ["x", "y"])


def test_what_no_step_has_is_missing(table):
    rows = ROWS | {"sound": ["[1, 2]", "", "[1, 2]", "", "[1, 2]"], "mood": ["good", "", "bad", "", "good"]}
    found = table(rows).load()
    assert found.raw["sound"][1] is None
    assert found.targets["mood"][1] is None


def test_without_labels_rows_are_joined_as_well(table):
    found = table({name: ROWS[name] for name in ("film", "sound")}).unlabelled()
    assert found.ids == ["b", "a"]
    assert [len(steps) for steps in found.raw["sound"]] == [3, 2]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ({"film": ["b", "a", "", "a", "b"]}, "column 'film', row 2: dataset.by joins rows by it"),
        (
            {"split": ["train", "test", "train", "train", "train"]},
            "the rows of 'a' are of more than one split: test, train",
        ),
        ({"speaker": ["x", "y", "z", "y", "x"]}, "the rows of 'b' are of more than one group: x, z"),
        (
            {"sound": ["[1, 2]", "[3, 4]", "[1]", "[5, 6]", "[7, 8]"]},
            r"modality 'sound', rows \[0, 2, 4\]: they are to be steps",
        ),
        ({"sound": ["[[1, 2]]", "[[3, 4]]"] + ["[[5, 6]]"] * 3}, r"modality 'sound', row 0: .* its shape is \(1, 2\)"),
        ({"sound": ["[1, 2]", '["a", 2]'] + ["[1, 2]"] * 3}, "modality 'sound', row 1: a vector is needed, and not"),
    ],
)
def test_what_cannot_be_joined_is_an_error(table, rows, error):
    with pytest.raises(DataError, match=error):
        table(ROWS | rows).load(split="split", group="speaker")


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ({"modalities": {"sound": {"kind": "vector"}}}, "dataset.modalities.sound.kind=sequence"),
        ({"tasks": {"mood": {"kind": "multiclass"}}}, "dataset.tasks.mood.kind=tokens"),
    ],
)
def test_other_kinds_are_refused(table, about, error):
    with pytest.raises(ConfigError, match=error):
        table(**about)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Twelve films of one to four utterances, some without a label, whose sound says all; two epochs."""
    place, random = tmp_path_factory.mktemp("films"), np.random.default_rng(0)
    film = np.repeat([f"f{n}" for n in range(12)], np.tile([1, 2, 3, 4], 3))
    mood = random.integers(0, 2, len(film))
    sound = [str([float(m), 1.0]) for m in mood]
    split = np.repeat(["train"] * 4 + ["val"] * 4 + ["test"] * 4, np.tile([1, 2, 3, 4], 3))
    labels = np.where(np.arange(len(film)) == len(film) - 1, "", mood.astype(str))  # the last step has none
    rows = pd.DataFrame({"film": film, "split": split, "sound": sound, "mood": labels})
    rows.to_csv(place / "rows.csv", index=False)
    keys = ["dataset=table", f"dataset.root={place}", "dataset.file=rows.csv", "dataset.by=film"]
    keys += ["dataset.modalities={sound: {kind: sequence}}", "dataset.tasks={mood: {kind: tokens}}"]
    keys += [
        "dataset.split.column=split",
        "encoder.sound=identity",
        "fusion=context",
        "fusion.hidden=4",
        "fusion.dim=4",
    ]
    keys += ["trainer.max_epochs=2", "trainer.accelerator=cpu", "bootstrap=50", "name=run", f"output_dir={place}"]
    assert main(["train", *keys]) == 0
    return next(place.glob("run*")), rows


def test_a_run_is_judged_by_utterances_and_its_intervals_draw_films(trained):
    folder, _ = trained
    split = json.loads((folder / "manifest.json").read_text())["data"]["splits"][0]
    assert (split["test"], split["steps"]["mood"]) == (4, {"train": 10, "val": 10, "test": 9})
    with np.load(folder / "seed-0" / "answers.npz") as answers:
        assert np.bincount(answers["test|mood|rows"]).tolist() == [0] * 8 + [1, 2, 3, 3]


def test_predictions_have_a_list_for_each_film(trained):
    folder, rows = trained
    found = pd.read_parquet(folder / "seed-0" / "predictions.parquet")
    assert found["id"].tolist() == ["f8", "f9", "f10", "f11"]
    for name, target in zip(found["id"], found["mood/target"], strict=True):
        labels = [label for label in rows["mood"][rows["film"] == name] if label]
        assert list(target) == labels
