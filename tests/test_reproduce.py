"""Published tables: the rule by which a cell is judged, what a table's file may say, and what the command does."""

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from in_process import Here

from mmfuse.cli import main
from mmfuse.commands import reproduce as reproduce_command
from mmfuse.commands import sweep as sweep_command
from mmfuse.config.catalog import Catalog
from mmfuse.errors import ConfigError
from mmfuse.reproduce import results
from mmfuse.reproduce.band import judge, standard_error
from mmfuse.reproduce.figures import FIGURES
from mmfuse.reproduce.planned import Planned, identity, planned
from mmfuse.reproduce.table import MARKS, named, read
from mmfuse.sweep.composer import Composer

FIVE = [79.0, 79.5, 80.0, 80.5, 81.0]  # mean 80, sample deviation sqrt(2.5 / 4) = .7906
TABLES = Catalog().options("baseline")
SMALL = ["trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "bootstrap=50"]


def verdict(values, published, rows=752, floor=None, figure="accuracy", **about):
    error = standard_error(FIGURES[figure], published, rows, about.pop("interval", None))
    return judge(values, published, FIGURES[figure], rows, floor, error, **about)


def test_half_a_bands_width_is_two_deviations_or_what_a_small_test_set_is_allowed():
    assert verdict(FIVE, 80.0).tolerance == pytest.approx(2 * math.sqrt(2.5 / 4))
    assert verdict([80.0] * 5, 80.0, rows=999).tolerance == 1.5
    assert verdict([80.0] * 5, 80.0, rows=1000).tolerance == 0.0
    assert verdict([0.9] * 5, 0.9, figure="mae").tolerance == 0.03
    assert verdict([0.7] * 5, 0.7, figure="pearson").tolerance == 0.0
    assert verdict([80.0] * 5, 80.0, tolerance=0.4).tolerance == 0.4


@pytest.mark.parametrize(
    ("values", "published", "about", "expected"),
    [
        (FIVE, 81.5, {}, "PASS"),  # 1.5 off, and the band is 1.58 wide
        (FIVE, 78.5, {}, "PASS"),
        (FIVE, 82.0, {"rows": 752}, "UNDERPOWERED"),  # 2 off; one error is 1.40
        (FIVE, 83.0, {"rows": 752}, "FAIL"),  # 3 off; 1.96 errors are 2.69
        (FIVE, 77.0, {"rows": 752}, "UNDERPOWERED"),  # better, by 3; 1.96 errors are 3.01
        (FIVE, 76.0, {"rows": 752}, "FAIL"),
        (FIVE, 82.0, {"rows": 9673}, "FAIL"),
        (FIVE[:4], 79.75, {}, "UNDERPOWERED"),  # too few seeds
        (FIVE[:1], 20.0, {}, "UNDERPOWERED"),
        (FIVE[:1], 20.0, {"floor": 79.1}, "FAIL"),  # below the floor, which no seed changes
        ([40.0, 60.0, 80.0, 70.0, 20.0], 60.0, {"floor": 55.0}, "FAIL"),  # mean 54, and a band 48 wide
        ([62.5] * 5, 62.1, {"floor": 62.1}, "UNDERPOWERED"),  # guessing would be inside
        ([63.7] * 5, 63.7, {"floor": 62.1}, "PASS"),
        ([0.97] * 5, 0.95, {"figure": "mae", "floor": 1.456}, "PASS"),
        ([1.46] * 5, 0.95, {"figure": "mae", "floor": 1.456}, "FAIL"),
        ([0.80] * 5, 0.95, {"figure": "mae", "interval": (0.75, 0.85)}, "FAIL"),  # better, by six errors
        ([0.90] * 5, 0.95, {"figure": "mae", "interval": (0.80, 1.00)}, "UNDERPOWERED"),
        ([float("nan")] * 5, 0.7, {"figure": "pearson"}, "FAIL"),
    ],
)
def test_verdicts(values, published, about, expected):
    assert verdict(values, published, **about).verdict == expected


def test_where_guessing_also_beats_what_was_published_that_is_said():
    assert verdict([54.0] * 5, 55.8, floor=62.1).why == "worse than the floor, 62.1, as the published figure is"
    assert verdict([54.0] * 5, 78.1, floor=62.1).why == "worse than the floor, 62.1"


def test_values_of_folds_are_not_seeds():
    assert verdict(FIVE, 80.0, seeds=1).verdict == "UNDERPOWERED"


def test_a_standard_error_is_the_binomial_one_or_the_intervals():
    assert standard_error(FIGURES["acc2_has0"], 78.0, 686, None) == pytest.approx(1.58, abs=0.01)
    assert standard_error(FIGURES["mae"], 0.9, 686, (0.9 - 1.96, 0.9 + 1.96)) == pytest.approx(1.0)
    assert standard_error(FIGURES["mae"], 0.9, 686, None) is None


PART = {"file": "rows.jsonl", "id": "id", "column": "kind", "value": "OPEN"}
GOOD = {
    "title": "Tiny",
    "paper": "none",
    "dataset": "digits",
    "get": "it comes with mmfuse",
    "seeds": 1,
    "task": "digit",
    "source": "nowhere",
    "mark": "recalled",
    "overrides": SMALL,
    "rows": [{"name": "image", "overrides": ["modalities=[image]", "fusion=concat"], "published": {"accuracy": 99.0}}],
}


def written(folder, name="tiny", **about):
    (folder / "baseline").mkdir(exist_ok=True)
    file = folder / "baseline" / f"{name}.yaml"
    file.write_text(yaml.safe_dump(GOOD | about, sort_keys=False), encoding="utf-8")
    return file


def with_row(**about):
    return {"rows": [{k: v for k, v in (GOOD["rows"][0] | about).items() if v is not None}]}


@pytest.mark.parametrize(
    ("about", "says"),
    [
        (with_row(published=None), "rows[0] (image): a figure is missing"),
        (with_row(published={"acuracy": 99.0}), "did you mean 'accuracy'?"),
        (with_row(published={"accuracy": None}), "accuracy is to be a number"),
        (with_row(published={"accuracy": 0.99}), "in percent"),
        (with_row(figuer="accuracy"), "unknown key 'figuer'"),
        (with_row(mark="seen"), "mark is one of read, recalled"),
        ({"source": ""}, "no source is named"),
        ({"tittle": "x"}, "unknown key 'tittle'"),
        ({"seeds": "five"}, "seeds is to be of type int"),
        ({"floors": {"f2": {"majority": 1}}}, "there is no figure 'f2'"),
        (with_row(published={"accuracy@opne": 40.0}) | {"parts": {"open": PART}}, "did you mean 'accuracy@open'?"),
        ({"parts": {"open": {"file": "rows.jsonl"}}}, "parts.open: 'id' is missing"),
        ({"counted": {"dev": 3}}, "'dev' is not one of train, val, test"),
        ({"rows": GOOD["rows"] * 2}, "two rows are called 'image'"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_advice(about, says, tmp_path):
    with pytest.raises(ConfigError) as told:
        read(written(tmp_path, **about))
    assert says in str(told.value)
    assert str(told.value).count("\n") < 6


@pytest.fixture(scope="module")
def composer():
    return Composer(Catalog())


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_read_and_all_that_it_types_composes(name, composer):
    table = named(name, Catalog())
    runs = planned(table, table.rows, table.seeds, [], False, composer)
    for each in runs:
        assert each.row.mark in MARKS or not each.row.published
        assert (each.config is None) == (each.row.not_built is not None)
        if each.config is not None:
            assert each.row.task in each.config["dataset"]["tasks"]
            assert each.seeds == list(range(table.seeds))
    folders = [each.folder for each in runs if each.folder]
    assert len(set(folders)) == len(folders)


def test_more_seeds_belong_to_the_same_run_and_other_settings_do_not(composer):
    one, more, other = (composer(typed) for typed in (["seeds=[0]"], ["seeds=[0,1]"], ["seeds=[0]", "batch_size=3"]))
    assert identity(one) == identity(more) != identity(other)


@pytest.fixture
def here(monkeypatch):
    launcher = Here()

    def launcher_of(config, *parts):
        launcher.config = config
        return launcher

    monkeypatch.setattr(sweep_command, "launcher_of", launcher_of)
    return launcher


def reproduce(folder, *typed):
    return main(
        [
            "reproduce",
            "tiny",
            "--config-dir",
            str(folder),
            f"output_dir={folder / 'out'}",
            "threads=1",
            "launcher.slots=3",
            *typed,
        ]
    )


def test_a_figure_below_the_floor_fails_and_more_seeds_are_added_to_those_there(tmp_path, here, monkeypatch, capsys):
    row = with_row(known=["the paper chose its epoch by the test part"])
    written(tmp_path, floors={"accuracy": {"majority": 98.0}}, counted={"train": 5, "test": 359}, **row)
    assert reproduce(tmp_path) == 5
    assert here.config["slots"] == 3
    said = capsys.readouterr().out
    assert "FAIL: image: worse than the floor, 98" in said
    assert "known    image: the paper chose its epoch by the test part" in said
    assert "train 1,078, the paper 5" in said
    assert "test 359" not in said
    place = tmp_path / "out" / "baseline-tiny"
    (first,) = place.glob("image-*/seed-0/predictions.parquet")
    before = first.stat().st_mtime_ns
    assert json.loads((place / "table.json").read_text())["cells"][0]["verdict"] == "FAIL"
    assert "| image | accuracy | 99? |" in (place / "table.md").read_text()

    assert reproduce(tmp_path) == 5
    assert len(here.ran) == 1  # nothing was left to run

    assert reproduce(tmp_path, "--seeds", "2") == 5
    assert len(here.ran) == 2
    assert (place / here.ran[0] / "seed-1" / "predictions.parquet").exists()
    assert first.stat().st_mtime_ns == before
    assert json.loads((place / "table.json").read_text())["cells"][0]["seeds"] == 2

    page = tmp_path / "baselines.md"
    monkeypatch.setattr(reproduce_command, "tables", lambda catalog: [named(n, catalog) for n in ("tiny", "easy_vqa")])
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path))
    assert reproduce(tmp_path, "--seeds", "2", "--document", str(page)) == 5  # the table is printed, and then told
    written_once = page.read_text(encoding="utf-8")
    assert "| Tiny | `digits` | 1 FAIL |" in written_once
    assert "## Tiny" in written_once
    assert "| image | accuracy | 99? |" in written_once
    assert re.search(r"minutes of training and testing together\. On \S+, \d+ cores, 1 thread a run\.", written_once)
    assert "- easy-VQA (`easy_vqa`): NO DATA: " in written_once
    assert "https://github.com/vzhou842/easy-VQA" in written_once
    page.unlink()
    out = f"output_dir={tmp_path / 'out'}"
    assert main(["reproduce", "--document", str(page), "--config-dir", str(tmp_path), out]) == 0
    assert page.read_text(encoding="utf-8") == written_once
    assert len(here.ran) == 2


def test_of_some_rows_those_are_printed_and_all_are_kept(tmp_path, here, capsys):
    other = {"name": "text", "overrides": ["modalities=[text]", "fusion=concat"], "published": {"accuracy": 50.0}}
    written(tmp_path, rows=[*GOOD["rows"], other])
    assert reproduce(tmp_path, "--cell", "text") == 0  # one seed tells too little to fail
    said = capsys.readouterr().out
    assert "text  accuracy" in said
    assert "image" not in said
    kept = json.loads((tmp_path / "out" / "baseline-tiny" / "table.json").read_text())["cells"]
    assert [(cell["row"], cell["verdict"]) for cell in kept] == [("image", "NOT RUN"), ("text", "UNDERPOWERED")]


def test_a_rows_command_makes_its_run_again_wherever_it_is_typed(tmp_path, here, monkeypatch):
    written(tmp_path)
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path))
    reproduce(tmp_path, "--quiet")
    (file,) = (tmp_path / "out" / "baseline-tiny").glob("image-*/command.sh")
    _, line = file.read_text(encoding="utf-8").splitlines()
    assert line.startswith(f"cd {Path.cwd()} && PATH=")
    assert f"MMFUSE_DATA={tmp_path} mmfuse train --config-dir {tmp_path} dataset=digits " in line
    assert "'modalities=[image]' fusion=concat" in line


def test_other_data_are_another_run_wherever_they_lie(tmp_path, composer):
    folders = [tmp_path / name for name in ("one", "copy", "other", "media")]
    for folder in folders:
        (folder / "pictures").mkdir(parents=True)
        (folder / "rows.csv").write_text("id,label\na,1\n")
        (folder / "pictures" / "a.png").write_bytes(b"12")
    (tmp_path / "other" / "rows.csv").write_text("id,label\na,2\n")
    (tmp_path / "media" / "pictures" / "a.png").write_bytes(b"123")
    one, copy, other, media = (identity(composer(["dataset=vqa_rad", f"dataset.root={f}"])) for f in folders)
    assert one == copy
    assert len({one, other, media}) == 3


def test_what_does_not_come_with_the_data_may_be_given(tmp_path, composer):
    key = "encoder.image.weights"
    row = GOOD["rows"][0] | {"needs": "some weights", "given": [key]}
    row["overrides"] = [*row["overrides"], "encoder.image=vgg16"]
    table = read(written(tmp_path, rows=[row, GOOD["rows"][0] | {"name": "other"}]))
    without, _ = planned(table, table.rows, 1, [], False, composer)
    assert without.lacks == ("NO DATA", f"some weights; once they are here: {key}=FILE")
    given, other = planned(table, table.rows, 1, [f"{key}=here.pth"], False, composer)
    assert given.lacks is None
    assert given.config["encoder"]["image"]["weights"] == "here.pth"
    assert "here.pth" not in str(other.config)


def test_a_smoke_judges_nothing(tmp_path, here, capsys):
    written(tmp_path, floors={"accuracy": {"majority": 98.0}})
    assert reproduce(tmp_path, "--smoke") == 0
    said = capsys.readouterr().out
    assert "RAN" in said
    assert "PASS" not in said
    assert "FAIL" not in said


def test_without_data_it_is_said_where_they_are_to_be_had(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path))
    assert main(["reproduce", "mosi_bclstm", f"output_dir={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr().out
    assert "22 NO DATA" in said
    assert "https://github.com/declare-lab/multimodal-deep-learning" in said
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(
        reproduce_command, "tables", lambda catalog: [named(n, catalog) for n in ("easy_vqa", "vqa_rad")]
    )
    assert main(["reproduce", "--list"]) == 0
    easy, rad = capsys.readouterr().out.splitlines()
    assert easy.startswith("easy_vqa")
    assert "NO DATA" in easy
    assert "https://doi.org/10.17605/OSF.IO/89KPS" in rad


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["handwriten6"], "did you mean 'handwritten6'?"),
        (["handwritten6", "--cell", "tmk"], "did you mean 'tmc'?"),
        (["handwritten6", "--seeds", "0"], "at least 1"),
        (["handwritten6", "optimizer.lr=1"], "nothing is tuned here"),
        ([], "which table?"),
        (["handwritten6", "vqa_rad", "--cell", "tmc"], "of which table?"),
        (["handwritten6", "--smoke", "--document", "page.md"], "a smoke judges nothing"),
    ],
)
def test_refuses_with_advice(typed, says, capsys):
    assert main(["reproduce", *typed]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) <= 6


@pytest.fixture
def recorded(tmp_path):
    """What a run of two seeds leaves, by hand: 70 and 72 of 100 rows are right."""
    table = read(written(tmp_path))
    folder = tmp_path / "image-0"
    folder.mkdir()
    figures = {"accuracy": {"mean": 0.71, "std": 0.0141421, "ci95": [0.62, 0.79], "values": [0.70, 0.72]}}
    splits = [{"train": 300, "val": 50, "test": 100}]
    times = {"created": "2026-01-01T10:00:00+00:00", "finished": "2026-01-02T10:00:30+00:00"}
    parts = {
        "status.json": {"state": "done"},
        "config.yaml": {"seeds": [0, 1]},
        "metrics.json": {"test": {"digit": figures}},
        "manifest.json": {"data": {"splits": splits}, **times},
    }
    for name, content in parts.items():
        (folder / name).write_text(json.dumps(content))
    return table, Planned(table.rows[0], (), {"seeds": [0, 1]}, "image-0", None), tmp_path


def test_a_cell_is_in_percent_and_says_what_the_test_sets_size_gives(recorded):
    table, run, place = recorded
    (cell,) = results.cells(table, [run], place)
    assert (cell.mean, cell.std, *cell.interval) == pytest.approx((71.0, 1.41421, 62.0, 79.0))
    assert (cell.seeds, cell.rows, cell.published, cell.verdict) == (2, 100, 99.0, "UNDERPOWERED")
    assert cell.difference == pytest.approx(-28.0)
    assert cell.error == pytest.approx(math.sqrt(0.99 * 0.01 / 100) * 100)
    assert results.seconds([run], place) == 86430
    assert results.newest([run], place) == "2026-01-02"


def test_the_accuracy_of_a_part_is_over_its_rows_alone(recorded):
    table, run, place = recorded
    kinds = {"a": "OPEN", "b": "CLOSED", "c": "OPEN", "d": "CLOSED"}
    (place / "rows.jsonl").write_text("".join(json.dumps({"id": i, "kind": k}) + "\n" for i, k in kinds.items()))
    for seed, said in enumerate(["1010", "1111"]):  # the truth is 1000: of a and c, one is right, twice
        (place / "image-0" / f"seed-{seed}").mkdir()
        rows = {"id": list(kinds), "digit/target": list("1000"), "digit/predicted": list(said)}
        pd.DataFrame(rows).to_parquet(place / "image-0" / f"seed-{seed}" / "predictions.parquet")
    row = run.row._replace(published={"accuracy@open": 60.0})
    config = {"seeds": [0, 1], "dataset": {"root": str(place)}}
    (cell,) = results.cells(table._replace(parts={"open": PART}), [run._replace(row=row, config=config)], place)
    assert (cell.mean, cell.std, cell.rows, cell.difference) == (50.0, 0.0, 2, -10.0)
    assert cell.error == pytest.approx(100 * math.sqrt(0.6 * 0.4 / 2))


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"published": {"f1_samples": 50.0}}, "does not produce the figure 'f1_samples'\n  it produces: accuracy"),
        ({"task": "parity"}, "the task 'parity', which its run has not\n  the run has: digit"),
    ],
)
def test_a_figure_that_the_run_does_not_produce_is_told(recorded, about, says):
    table, run, place = recorded
    with pytest.raises(ConfigError) as told:
        results.cells(table, [run._replace(row=run.row._replace(**about))], place)
    assert says in str(told.value)


def test_of_a_task_about_steps_the_labelled_ones_are_counted():
    split = {"train": 20, "val": 4, "test": 9, "steps": {"mood": {"train": 211, "val": 40, "test": 95}}}
    manifest = {"data": {"splits": [split]}}
    assert [results.judged(manifest, side, "mood") for side in ("train", "test")] == [211, 95]
    assert [results.judged(manifest, side, "kind") for side in ("train", "test")] == [20, 9]
