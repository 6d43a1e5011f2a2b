"""Finished runs, analysed: what is told agrees with what the runs recorded."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from mmfuse.cli import main
from mmfuse.listener import Listener
from mmfuse.run import analyse as analysis
from mmfuse.run.analyse import analyse
from mmfuse.run.finished import finished
from mmfuse.run.worst import loss
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.regression import Regression

SHORT = [
    "trainer.max_epochs=1",
    "bootstrap=50",
    "threads=1",
    "batch_size=16",
    "--quiet",
    "dataset=table",
    "dataset.id=id",
]
MODALITIES = (
    "dataset.modalities={review: {kind: text}, photo: {kind: image}, sound: {kind: audio}, scores: {kind: vector}}"
)
TWO = "dataset.modalities={review: {kind: text}, scores: {kind: vector}}"
TASKS = "dataset.tasks={mood: {kind: multiclass}, grade: {kind: regression}}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with 60 rows and two runs: of four modalities, two tasks and two seeds; and of three folds."""
    folder = tmp_path_factory.mktemp("analyse")
    random, rows = np.random.default_rng(0), []
    for row in range(60):
        label = row % 2
        Image.fromarray((random.random((12, 10)) * 100 + 100 * label).astype(np.uint8)).save(folder / f"{row}.png")
        soundfile.write(folder / f"{row}.wav", np.sin(np.arange(1000) * (0.3 + 0.5 * label)) * 0.3, 8000)
        about = {
            "id": f"r{row}",
            "review": ["very bad", "rather good"][label],
            "photo": "" if row == 44 else f"{row}.png",
            "sound": f"{row}.wav",
            "scores": json.dumps([label + 0.1 * row, 1.0, -label]),
            "mood": ["sad", "glad"][label],
            "grade": label + row / 100,
            "part": ["train", "train", "train", "dev", "test", "test"][row // 10],
        }
        rows.append(about)
    pd.DataFrame(rows).to_csv(folder / "rows.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        several = ["dataset.file=rows.csv", MODALITIES, TASKS, "strategy=multi_task", "encoder.review=transformer"]
        several += ["dataset.split.column=part", "seeds=[0,1]", "fusion=gated", "name=several"]
        assert main(["train", *SHORT, *several]) == 0
        folded = ["dataset.file=rows.csv", TWO, "dataset.tasks={mood: {kind: multiclass}}", "folds=3", "name=folded"]
        assert main(["train", *SHORT, *folded, "fusion=attention_steps"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(trained, monkeypatch):
    monkeypatch.chdir(trained)


def run(name: str) -> Path:
    (folder,) = Path("outputs").glob(f"{name}-*")
    return folder


@pytest.fixture(scope="module")
def found(trained):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)
        return analyse(finished(run("several")), Listener())


@pytest.fixture(scope="module")
def folded(trained):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained)
        return analyse(finished(run("folded")), Listener(), without=["space"])


@pytest.mark.parametrize("name", ["several", "folded"])
def test_contributions_are_those_of_all_models(name, found, folded):
    found = {"several": found, "folded": folded}[name]
    metrics = json.loads((run(name) / "metrics.json").read_text())
    about = found["contributions"]
    whole = "+".join(about["modalities"])
    assert about["draws"] >= 3
    for t, table in about["tasks"].items():
        recorded = metrics["test"][t][table["figure"]]
        assert table["values"][whole]["mean"] == pytest.approx(recorded["mean"], abs=1e-5)
        assert table["values"][whole]["std"] == pytest.approx(recorded["std"], abs=1e-5)
        assert table["patterns"][whole] == pytest.approx(recorded["mean"], abs=1e-5)
        gained = table["values"][whole]["mean"] - table["values"][""]["mean"]
        assert sum(share["mean"] for share in table["shapley"].values()) == pytest.approx(gained, abs=1e-9)
        for m, lost in table["leave_one_out"].items():
            rest = "+".join(other for other in about["modalities"] if other != m)
            kept = table["values"][whole]["mean"] - table["values"][rest]["mean"]
            assert lost["mean"] == pytest.approx(kept, abs=1e-9)
            assert table["perceptual"][m]["normalised"] * recorded["mean"] == pytest.approx(kept, abs=1e-5)
        for curve in (table["curves"]["all"], *table["curves"]["each"].values()):
            assert curve["values"][0] == pytest.approx(recorded["mean"], abs=1e-5)
            assert curve["area"] + curve["drop"] == pytest.approx(curve["values"][0], abs=1e-9)


def test_worst_rows_are_those_of_the_record(found):
    said = [pd.read_parquet(run("several") / f"seed-{s}" / "predictions.parquet") for s in (0, 1)]
    by_class = {"sad": "mood/p(sad)", "glad": "mood/p(glad)"}
    given = [np.array([row[by_class[row["mood/target"]]] for _, row in table.iterrows()]) for table in said]
    losses = pd.Series(np.mean([-np.log(p) for p in given], axis=0), index=said[0]["id"])
    wanted = losses.sort_values(ascending=False)[:12]
    worst = found["worst"]["mood"]
    assert [row["loss"] for row in worst] == pytest.approx(wanted.tolist())
    assert {row["row"] for row in worst} == set(wanted.index)
    first = said[0].set_index("id").loc[worst[0]["row"]]
    both = [table.set_index("id").loc[worst[0]["row"]][by_class[worst[0]["predicted"]]] for table in said]
    assert worst[0]["p"] == pytest.approx(np.mean(both))
    assert worst[0]["target"] == first["mood/target"]
    errors = [abs(table["grade/predicted"] - table["grade/target"]) for table in said]
    assert found["worst"]["grade"][0]["loss"] == pytest.approx(max((errors[0] + errors[1]) / 2))


def test_worst_rows_can_be_looked_at(found):
    for row in found["worst"]["mood"] + found["worst"]["grade"]:
        shows = row["shows"]
        assert shows["review"]["text"] in ("very bad", "rather good")
        assert shows["photo"]["kind"] == ("missing" if row["row"] == "r44" else "image")
        assert shows["sound"]["seconds"] == 0.12
        assert len(shows["scores"]["values"]) == 3
    assert (run("several") / "analysis.json").stat().st_size < 1_000_000


def test_losses_by_hand():
    assert loss(Regression(), np.float64(2.5), 1.0) == 1.5
    found = loss(Multilabel(["x", "y"]), np.array([0.5, 0.2]), np.array([1.0, 0.0]))
    assert found == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2)


def test_what_the_first_model_hears(found):
    about = found["weights"]
    assert about["of"] == "seed-0"
    assert sum(about["mean"].values()) == pytest.approx(1, abs=1e-6)
    assert about["rows"]["ids"] == [f"r{row}" for row in range(40, 60)]
    each = np.array([about["rows"][m] for m in about["modalities"]])
    assert each.sum(axis=0) == pytest.approx(1, abs=1e-3)
    assert each[about["modalities"].index("photo"), 4] == 0  # r44 has none
    of_classes = [about["by_class"]["mood"][c] for c in ("sad", "glad")]  # ten rows each
    for m, mean in about["mean"].items():
        assert np.mean([c[m] for c in of_classes]) == pytest.approx(mean, abs=1e-6)
    assert set(about["by_class"]) == {"mood"}


def test_gradients_attention_space_and_cost(found):
    for table in found["gradients"].values():
        assert sum(each["mean"] for each in table.values()) == pytest.approx(1, abs=1e-6)
        assert table["review"]["of"] == "encoding"
    assert {each["modality"] for each in found["attention"]} == {"review"}
    for each in found["attention"]:
        assert each["parts"] in (["very", "bad"], ["rather", "good"])
        assert sum(each["weights"]) == pytest.approx(1, abs=1e-3)
    space = found["space"]
    assert set(space["points"]) == {"fused", "review", "photo", "sound", "scores"}
    assert space["rows"] == [f"r{row}" for row in range(40, 60) if row != 44]  # which has no photo
    assert space["class"]["mood"][:5] == ["sad", "glad", "sad", "glad", "glad"]
    assert all(np.isfinite(points).all() and np.shape(points) == (19, 2) for points in space["points"].values())
    manifest = json.loads((run("several") / "manifest.json").read_text())
    assert found["cost"]["parameters"] == found["cost"]["trained"] == manifest["parameters"]
    assert found["cost"]["macs_per_row"] > manifest["parameters"] / 10
    history = [pd.read_csv(run("several") / f"seed-{s}" / "history.csv")["seconds"].sum() for s in (0, 1)]
    assert found["cost"]["seconds"]["train"] == pytest.approx(history, abs=1e-3)


def test_what_is_left_out_says_why(found, folded):
    assert "space" not in folded
    assert folded["left_out"]["space"] == "it was not asked for"
    assert "weights" not in found["left_out"]
    assert set(found["left_out"]) <= {"noise", "cost.peak_memory_mb"}


def test_rows_of_folds_are_told_by_the_fold_that_tested_them(folded):
    assert folded["rows"] == 60
    assert len({each["row"] for each in folded["worst"]["mood"]}) == 12
    assert {each["modality"] for each in folded["attention"]} == {"review", "scores"}


def test_is_made_once(found, monkeypatch):
    def fail(*_):
        raise AssertionError("made again")

    place, folder = Path("copy"), run("several")
    shutil.copytree(folder, place, copy_function=shutil.copy2)
    with monkeypatch.context() as patch:
        patch.setattr(analysis, "examples_of", fail)
        assert analyse(finished(place), Listener()) == found
        os.utime(place / "seed-1" / "checkpoints" / "best.ckpt", (1, 1))
        with pytest.raises(AssertionError, match="made again"):
            analyse(finished(place), Listener())


def test_data_that_are_gone_leave_what_the_record_tells(found, monkeypatch):
    shutil.copytree(run("several"), "gone")
    Path("gone/analysis.json").unlink()
    with monkeypatch.context():
        Path("rows.csv").rename("away.csv")
        try:
            less = analyse(finished(Path("gone")), Listener())
        finally:
            Path("away.csv").rename("rows.csv")
    assert "rows.csv" in less["left_out"]["data"]
    for key in ("contributions", "weights", "gradients", "attention", "space"):
        assert key not in less
        assert less["left_out"][key] == less["left_out"]["data"]
    for row, same in zip(less["worst"]["mood"], found["worst"]["mood"], strict=True):
        assert row == {key: value for key, value in same.items() if key != "shows"}
    assert less["cost"]["parameters"] == found["cost"]["parameters"]
    assert less["cost"]["macs_per_row"] is None
    assert "contributions" in analyse(finished(Path("gone")), Listener(), without=["space"])  # they are back
