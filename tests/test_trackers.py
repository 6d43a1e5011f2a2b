"""Trackers, read back by their own readers: what they hold is what the run's record says."""

import csv
import json
import sys
from math import isfinite
from pathlib import Path

import pytest

from mmfuse.cli import main
from mmfuse.run.tracking import ASIDE, Track, tracker

SECRET = "hunter2-do-not-tell"
SHORT = ["modalities=[text]", "trainer.max_epochs=2", "bootstrap=20", "threads=1", "encoder.text.dim=8", "--quiet"]


def trained(outputs: Path, *keys: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        assert main(["train", *SHORT, f"output_dir={outputs}", *keys]) == 0
    return (outputs / "latest").resolve()


def read(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def history(run: Path, seed: int) -> list[dict[str, float]]:
    """Rows of what is a figure, and is finite."""
    rows = read(run / f"seed-{seed}" / "history.csv")
    numbers = [{name: float(value) for name, value in row.items() if name not in ASIDE} for row in rows]
    return [{name: value for name, value in row.items() if isfinite(value)} for row in numbers]


def test_values(run: Path, seed: int) -> dict[str, float]:
    table = json.loads((run / "metrics.json").read_text())["test"]["digit"]
    return {f"test/digit/{name}": about["values"][seed] for name, about in table.items() if "mean" in about}


test_values.__test__ = False


def told_nowhere(folder: Path) -> bool:
    return not any(SECRET.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")  # MLflow's own, of SQLAlchemy
@pytest.mark.slow
def test_mlflow_holds_what_the_record_says(tmp_path):
    pytest.importorskip("mlflow")
    run = trained(tmp_path, "logger=mlflow", "seeds=[0,1]")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'mmfuse'")
    found = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
    assert set(found) == {run.name, f"{run.name}/seed-0", f"{run.name}/seed-1"}
    assert {each.info.status for each in found.values()} == {"FINISHED"}
    whole = found[run.name]
    for seed in (0, 1):
        one = found[f"{run.name}/seed-{seed}"]
        assert one.data.tags["mlflow.parentRunId"] == whole.info.run_id
        assert one.data.params["seed"] == str(seed)
        rows = history(run, seed)
        for name in rows[0]:
            kept = {each.step: each.value for each in client.get_metric_history(one.info.run_id, name)}
            assert kept == {epoch: row[name] for epoch, row in enumerate(rows)}, name
        for name, value in test_values(run, seed).items():
            assert one.data.metrics[name] == value
    table = json.loads((run / "metrics.json").read_text())["test"]["digit"]
    assert whole.data.metrics["test/digit/accuracy"] == table["accuracy"]["mean"]
    assert whole.data.metrics["test/digit/accuracy/std"] == table["accuracy"]["std"]
    assert whole.data.params["choices.fusion"] == "gated"
    assert whole.data.params["optimizer.lr"] == "0.002"
    assert told_nowhere(tmp_path)


def test_tensorboard_holds_what_the_record_says(tmp_path):
    pytest.importorskip("tensorboard")
    run = trained(tmp_path, "logger=tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(run / "tensorboard" / "seed-0")).Reload()
    rows = history(run, 0)
    for name in rows[0]:
        kept = {event.step: event.value for event in read.Scalars(name)}
        assert kept == pytest.approx({epoch: row[name] for epoch, row in enumerate(rows)}, rel=1e-6), name  # float32
    for name, value in test_values(run, 0).items():
        assert read.Scalars(name)[0].value == pytest.approx(value, rel=1e-6)
    whole = EventAccumulator(str(run / "tensorboard" / "whole")).Reload()
    mean = json.loads((run / "metrics.json").read_text())["test"]["digit"]["f1_macro"]["mean"]
    assert whole.Scalars("test/digit/f1_macro")[0].value == pytest.approx(mean, rel=1e-6)
    assert told_nowhere(tmp_path)


def test_csv_holds_what_the_record_says_in_a_folder_of_ones_own(tmp_path):
    run = trained(tmp_path / "outputs", "logger=csv", f"logger.dir={tmp_path / 'mine'}")
    rows = read(tmp_path / "mine" / run.name / "seed-0" / "metrics.csv")
    for epoch, row in enumerate(history(run, 0)):
        (kept,) = [each for each in rows if each["step"] == str(epoch) and each["val/loss"]]
        assert {name: float(kept[name]) for name in row} == row
    tested = next(each for each in rows if each["test/digit/accuracy"])
    assert float(tested["test/digit/accuracy"]) == test_values(run, 0)["test/digit/accuracy"]
    assert told_nowhere(tmp_path)


def test_without_a_logger_none_is_imported_and_the_record_is_all_there_is(tmp_path):
    before = set(sys.modules)
    run = trained(tmp_path)
    new = set(sys.modules) - before
    assert not {name for name in new if name.split(".")[0] in ("mlflow", "tensorboard", "wandb")}
    assert {file.name for file in run.iterdir() if file.is_dir()} == {"seed-0"}


@pytest.mark.parametrize("name", ["mlflow", "tensorboard", "wandb"])
def test_a_tracker_that_is_not_installed_says_what_to_install(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mmfuse.trackers.tracker.find_spec", lambda asked: None)
    assert main(["train", *SHORT, f"output_dir={tmp_path}", f"logger={name}"]) == 2
    said = capsys.readouterr().err
    assert f"pip install 'mmfuse[{name}]'" in said
    assert len(said.splitlines()) <= 6
    assert not list(tmp_path.iterdir())


def test_a_run_of_before_there_were_trackers_has_none():
    assert tracker({}).open("seed-0", Path("run"), Path("outputs")) is None


class Heard:
    def __init__(self):
        self.metrics, self.settings, self.ended = [], {}, []

    def log_hyperparams(self, settings):
        self.settings |= settings

    def log_metrics(self, metrics, step=None):
        self.metrics.append((metrics, step))

    def save(self):
        pass

    def finalize(self, status):
        self.ended.append(status)


def test_a_figure_that_is_no_number_is_not_sent():
    heard = Heard()
    Track(heard, {}).epoch({"epoch": 3, "step": 40, "seconds": 1.0, "val/auroc": float("nan"), "val/loss": 0.5})
    assert heard.metrics == [({"val/loss": 0.5}, 3)]


def test_a_run_that_fails_is_told_so():
    from mmfuse.run.tracking import tracking
    from mmfuse.trackers.tracker import Tracker

    opened = {}

    class Listening(Tracker):
        def open(self, name, run, outputs):
            opened[name] = Heard()
            return opened[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmfuse.run.tracking.tracker", lambda cfg: Listening())
        with (
            pytest.raises(KeyError),
            tracking({"output_dir": "outputs"}, Path("outputs/run")) as tracks,
            tracks.replicate("seed-0", 0),
        ):
            raise KeyError("x")
    assert opened["seed-0"].ended == opened[None].ended == ["failed"]


def test_baselines_are_not_tracked_and_are_the_same_with_any_tracker():
    from mmfuse.config.catalog import Catalog
    from mmfuse.config.compose import compose
    from mmfuse.run.baselines import key, wanted

    keys = []
    for logger in ("none", "csv"):
        each = wanted(compose([f"logger={logger}"], Catalog()))
        assert all("logger" not in cfg for cfg in each.values())
        keys.append({name: key(cfg, "data") for name, cfg in each.items()})
    assert keys[0] == keys[1]
