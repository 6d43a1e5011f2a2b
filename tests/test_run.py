"""Whole experiments, from what is typed to what is on disk."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from filelock import FileLock
from PIL import Image
from sklearn.metrics import accuracy_score, precision_score

from mmfuse.augment.words import Words
from mmfuse.cli import main

SHORT = ["trainer.max_epochs=1", "bootstrap=50", "threads=1", "--quiet"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every test runs in a folder of its own, so that its outputs are its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only_run() -> Path:
    (folder,) = [f for f in Path("outputs").iterdir() if not f.is_symlink()]
    return folder


def read(folder: Path, name: str):
    return json.loads((folder / name).read_text())


def nothing_left() -> bool:
    return not Path("outputs").exists() or not list(Path("outputs").iterdir())


@pytest.fixture
def rows(here):
    """60 rows of every kind of modality, two classes, a number, a split, a speaker, some cells empty."""
    random = np.random.default_rng(0)
    table = []
    for row in range(60):
        label = row % 2
        Image.fromarray((random.random((12, 10)) * 100 + 100 * label).astype(np.uint8)).save(here / f"{row}.png")
        wave = np.sin(np.arange(800 + 20 * row) * (0.3 + 0.5 * label)) * 0.3
        soundfile.write(here / f"{row}.wav", wave, 8000)
        np.save(here / f"{row}.npy", random.standard_normal((1 + row % 5, 4)) + label)
        table.append(
            {
                "id": f"r{row}",
                "review": "" if row == 3 else ["very bad 差", "rather good 好"][label],
                "photo": "" if row == 4 else f"{row}.png",
                "sound": f"{row}.wav",
                "pose": f"{row}.npy",
                "scores": json.dumps([label + 0.1 * row, 1.0, -label]),
                "mood": ["sad", "glad"][label],
                "grade": label + row / 100,
                "part": ["train", "train", "train", "dev", "test", "test"][row // 10],
                "speaker": f"s{row // 6}",
            }
        )
    pd.DataFrame(table).to_csv(here / "rows.csv", index=False)
    return table


TABLE = ["dataset=table", "dataset.file=rows.csv", "dataset.id=id", "batch_size=16"]
EVERY_KIND = (
    "dataset.modalities={review: {kind: text}, photo: {kind: image}, sound: {kind: audio}, pose: {kind: sequence}, "
    "scores: {kind: vector}}"
)
TASKS = "dataset.tasks={mood: {kind: multiclass}, grade: {kind: regression}}"


def test_the_record_of_a_run_is_whole_and_true():
    assert main(["train", "seeds=[0,1]", *SHORT]) == 0
    folder = only_run()
    assert Path("outputs/latest").resolve() == folder.resolve()
    names = {"config.yaml", "overrides.txt", "command.sh", "manifest.json", "status.json", "metrics.json"}
    names |= {"audit.json", "model_card.md"}
    assert {f.name for f in folder.iterdir()} == names | {"seed-0", "seed-1"}
    seed = {
        "history.csv",
        "predictions.parquet",
        "answers.npz",
        "preparation.json",
        "tasks.json",
        "checkpoints",
        "logs",
    }
    assert {f.name for f in (folder / "seed-1").iterdir()} == seed
    assert {f.name for f in (folder / "seed-1" / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert not list(folder.rglob(".*"))  # nothing under a temporary name
    assert read(folder, "status.json")["state"] == "done"
    assert (folder / "overrides.txt").read_text().split() == ["seeds=[0,1]", *SHORT[:-1]]

    figures = read(folder, "metrics.json")["test"]["digit"]
    for seed, accuracy, precision in zip(
        (0, 1), figures["accuracy"]["values"], figures["precision_macro"]["values"], strict=True
    ):
        said = pd.read_parquet(folder / f"seed-{seed}" / "predictions.parquet")
        assert accuracy == accuracy_score(said["digit/target"], said["digit/predicted"])
        expected = precision_score(said["digit/target"], said["digit/predicted"], average="macro", zero_division=0)
        assert precision == pytest.approx(expected)
    assert figures["accuracy"]["mean"] == pytest.approx(np.mean(figures["accuracy"]["values"]))
    assert figures["accuracy"]["std"] == pytest.approx(np.std(figures["accuracy"]["values"], ddof=1))
    calibration = read(folder, "metrics.json")["calibration"]["digit"]
    assert [len(calibration[name]["values"]) for name in ("temperature", "ece_calibrated")] == [2, 2]
    low, high = figures["accuracy"]["ci95"]
    assert low < figures["accuracy"]["mean"] < high

    manifest = read(folder, "manifest.json")
    assert manifest["data"]["rows"] == 1797
    assert sum(manifest["data"]["splits"][0][part] for part in ("train", "val", "test")) == 1797
    assert manifest["versions"]["torch"] == torch.__version__
    assert manifest["created"] <= manifest["finished"]
    with open(folder / "seed-0" / "history.csv") as file:
        (epoch,) = csv.DictReader(file)
    assert {"epoch", "step", "train/loss", "val/loss", "val/accuracy", "val/f1_macro", "seconds"} <= set(epoch)
    saved = torch.load(folder / "seed-0" / "checkpoints" / "best.ckpt", weights_only=True)
    assert saved["global_step"] == int(epoch["step"])


def test_the_same_seed_gives_the_same_bits():
    for _ in range(2):
        assert main(["train", *SHORT]) == 0
    first, second = (f for f in sorted(Path("outputs").iterdir()) if not f.is_symlink())
    assert (first / "metrics.json").read_bytes() == (second / "metrics.json").read_bytes()
    a, b = (f / "seed-0" / "predictions.parquet" for f in (first, second))
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.slow
def test_no_modality_suffices_and_together_they_nearly_do():
    accuracy = {}
    for modalities in ("[text]", "[image]", "[audio]", "[image,audio,text]"):
        output = f"output_dir={len(modalities)}{modalities[1]}"
        epochs = (
            "trainer.max_epochs=12" if "," in modalities else "trainer.max_epochs=8"
        )  # the fused model has more to learn
        assert main(["train", f"modalities={modalities}", output, epochs, "bootstrap=50", "--quiet"]) == 0
        metrics = json.loads(Path(output.partition("=")[2], "latest", "metrics.json").read_text())
        accuracy[modalities] = metrics["test"]["digit"]["accuracy"]["mean"]
    assert all(0.55 <= accuracy[m] <= 0.85 for m in ("[text]", "[image]", "[audio]")), accuracy
    assert accuracy["[image,audio,text]"] > 0.93, accuracy


def test_folds_test_every_row_once():
    assert main(["train", "folds=3", "modalities=[text]", *SHORT]) == 0
    tested = [pd.read_parquet(only_run() / f"seed-0-fold-{k}" / "predictions.parquet")["row"] for k in range(3)]
    assert sorted(pd.concat(tested)) == list(range(1797))
    assert len(read(only_run(), "metrics.json")["test"]["digit"]["f1_macro"]["values"]) == 3


def test_a_table_of_every_kind_trains_and_recorded_rows_have_their_names(rows):
    typed = [*TABLE, EVERY_KIND, TASKS, "dataset.split.column=part", "dataset.split.group=speaker"]
    assert main(["train", *typed, "fusion=weighted", *SHORT]) == 0
    said = pd.read_parquet(only_run() / "seed-0" / "predictions.parquet")
    assert list(said["id"]) == [row["id"] for row in rows if row["part"] == "test"]
    assert list(said["mood/target"]) == [row["mood"] for row in rows if row["part"] == "test"]
    assert np.allclose(said["mood/p(glad)"] + said["mood/p(sad)"], 1)
    data = read(only_run(), "manifest.json")["data"]
    assert data["missing"] == {"review": 1, "photo": 1, "sound": 0, "pose": 0, "scores": 0}
    assert data["classes"] == {"mood": ["glad", "sad"]}


AUGMENTED = [
    "encoder.review.augment.drop=0.3",
    "encoder.photo.augment={flip: 0.5, crop: 0.2, rotate: 10.0, color: 0.2}",
    "encoder.sound.augment={gain_db: 6.0, shift_ms: 10.0, snr_db: 20.0}",
    "encoder.sound.time_masks=1",
    "encoder.sound.time_width=3",
    "encoder.pose.augment.noise=0.1",
    "encoder.scores.augment.noise=0.1",
]


def test_augmentation_of_every_kind_trains_to_the_same_bits_by_the_same_seed(rows):
    few = ["trainer.max_epochs=2", *SHORT[1:]]
    for folder, augmented in (("first", AUGMENTED), ("second", AUGMENTED), ("plain", [])):
        assert main(["train", *TABLE, EVERY_KIND, TASKS, *augmented, f"output_dir={folder}", *few]) == 0
    losses = {}
    for folder in ("first", "second", "plain"):
        with open(Path(folder, "latest", "seed-0", "history.csv")) as file:
            losses[folder] = [(epoch["train/loss"], epoch["val/loss"]) for epoch in csv.DictReader(file)]
    assert losses["first"] == losses["second"] != losses["plain"]


def test_training_rows_are_augmented_once_an_epoch_and_no_others_ever(rows, monkeypatch):
    heard = []
    monkeypatch.setattr(Words, "forward", lambda self, signal: heard.append(len(signal.mask)) or signal)
    typed = [*TABLE, EVERY_KIND, TASKS, "dataset.split.column=part", "trainer.max_epochs=3", *SHORT[1:]]
    assert main(["train", *typed]) == 0
    assert sum(heard) == 3 * 30


@pytest.mark.parametrize("file", ["rows.jsonl", "rows.parquet", "rows.tsv"])
def test_other_formats_hold_the_same_rows(rows, file):
    table = pd.DataFrame(rows)
    table["scores"] = [json.loads(cell) for cell in table["scores"]]
    if file.endswith("jsonl"):
        table.to_json(file, orient="records", lines=True, force_ascii=False)
    elif file.endswith("parquet"):
        table.to_parquet(file)
    else:
        table.to_csv(file, index=False, sep="\t")
    figures = set()
    modalities = "dataset.modalities={review: {kind: text}, scores: {kind: vector}}"
    for name in ("rows.csv", file):
        typed = ["dataset=table", f"dataset.file={name}", modalities, "dataset.tasks={mood: {kind: multiclass}}"]
        assert main(["train", *typed, f"output_dir={name}.out", *SHORT]) == 0
        figures.add(Path(f"{name}.out", "latest", "metrics.json").read_bytes())
    assert len(figures) == 1


def test_a_regression_is_scored_in_its_own_unit(rows):
    typed = [*TABLE, "dataset.modalities={scores: {kind: vector}}", TASKS, "tasks=[grade]"]
    assert main(["train", *typed, "trainer.max_epochs=30", "bootstrap=50", "--quiet"]) == 0
    said = pd.read_parquet(only_run() / "seed-0" / "predictions.parquet")
    mae = read(only_run(), "metrics.json")["test"]["grade"]["mae"]["mean"]
    assert mae == pytest.approx((said["grade/predicted"] - said["grade/target"]).abs().mean())
    assert mae < np.abs(said["grade/target"] - said["grade/target"].median()).mean()  # better than a constant


def test_media_that_memory_does_not_hold_are_decoded_by_workers_to_the_same_end(rows):
    typed = [*TABLE, "dataset.modalities={photo: {kind: image}, sound: {kind: audio}}", TASKS, *SHORT]
    assert main(["train", *typed, "output_dir=held"]) == 0
    assert main(["train", *typed, "output_dir=streamed", "loader.memory_gb=0.0", "loader.workers=1"]) == 0
    held, streamed = (Path(folder, "latest", "metrics.json").read_bytes() for folder in ("held", "streamed"))
    assert held == streamed


def broken(rows, change):
    change(rows)
    pd.DataFrame(rows).to_csv("rows.csv", index=False)


def cut_picture(rows):
    data = Path("7.png").read_bytes()
    Path("7.png").write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("change", "typed", "says"),
    [
        (lambda rows: None, ["dataset.file=nothing.csv"], "nothing.csv: not found"),
        (lambda rows: None, ["dataset.tasks.mood.column=modd"], "did you mean 'mood'?"),
        (lambda rows: Path("9.png").write_text("no picture"), [], "1 of 59 values in column 'photo'"),
        (
            lambda rows: [Path(f"{row}.png").unlink() for row in range(5, 45)],
            [],
            "41 of 60 rows lack the modality 'photo'",
        ),
        (
            lambda rows: Path("9.png").unlink(),
            ["dataset.missing.max_frac=0.03"],
            "1 files not found, the first 9.png (row 9)",
        ),
        (cut_picture, [], "(row 7)"),
        (lambda rows: Path("5.wav").write_text("no sound"), [], "column 'sound'"),
        (lambda rows: np.save("5.npy", np.array([[1.0, 2.0]])), [], "2 features, where the training rows have 4"),
        (lambda rows: rows[5].update(scores="[1, x]"), [], "[1, x] (row 5)"),
        (lambda rows: rows[5].update(mood="odd"), [], "class 'odd' has 1 row"),
        (lambda rows: rows[5].update(grade="high"), ["tasks=[grade]"], "column 'grade', row 5: 'high' is not a number"),
        (
            lambda rows: None,
            ["dataset.tasks={mood: {kind: multiclass, classes: [sad, calm]}}"],
            "'glad' is not among the classes",
        ),
        (lambda rows: [row.update(part="train") for row in rows], ["dataset.split.column=part"], "test split is empty"),
        (lambda rows: rows[2].update(part="third"), ["dataset.split.column=part"], "row 2 has 'third'"),
        (lambda rows: [row.update(review="") for row in rows], [], "60 of 60 rows lack the modality 'review'"),
        (lambda rows: [row.update(mood="") for row in rows], [], "needs two classes or more"),
    ],
)
def test_bad_data_are_refused_with_their_place_and_leave_nothing(rows, capsys, change, typed, says):
    broken(rows, change)
    assert main(["train", *TABLE, EVERY_KIND, TASKS, *typed, *SHORT]) == 3
    message = capsys.readouterr().err
    assert says in message
    assert message.startswith("error[data]: ")
    assert len(message.splitlines()) <= 6
    assert nothing_left()


@pytest.mark.parametrize("memory", ["4.0", "0.0"])
def test_unreadable_files_count_as_missing_where_so_wished(rows, memory):
    Path("9.png").unlink()
    cut_picture(rows)
    typed = [*TABLE, EVERY_KIND, TASKS, "dataset.missing.unreadable=missing", f"loader.memory_gb={memory}"]
    assert main(["train", *typed, *SHORT]) == 0
    data = read(only_run(), "manifest.json")["data"]
    assert {7, 9} >= set(data["unreadable"]["photo"]) >= {9}  # what is streamed is opened when its turn comes
    assert data["missing"]["photo"] == 1 + len(data["unreadable"]["photo"])


def test_all_unreadable_files_are_counted(rows, capsys):
    for row in (1, 6, 14, 33, 58):
        Path(f"{row}.png").write_bytes(b"no picture")
    assert main(["train", *TABLE, EVERY_KIND, TASKS, "dataset.split.column=part", *SHORT]) == 3
    assert "5 of 59 values in column 'photo'" in capsys.readouterr().err


def test_a_file_that_breaks_in_mid_training_is_named(rows, capsys):
    cut_picture(rows)
    few = ["dataset.modalities={photo: {kind: image}}", TASKS, "encoder.photo.prepare.size=[8,8]"]
    typed = [*TABLE, *few, "encoder.photo.prepare.color=false", "loader.memory_gb=0.0", "loader.workers=1"]
    assert main(["train", *typed, *SHORT]) == 3
    message = capsys.readouterr().err
    assert "7.png (row 7)" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("change", ["extra", "short", "twice", "latin"])
def test_tables_that_would_be_misread_are_refused(rows, capsys, change):
    lines = Path("rows.csv").read_text(encoding="utf-8").splitlines()
    if change == "extra":
        lines = [lines[0], *(line + ",more" for line in lines[1:])]
    elif change == "short":
        lines[5] = lines[5].rpartition(",")[0]
    elif change == "twice":
        lines[0] = lines[0].replace("grade", "mood")
    Path("rows.csv").write_bytes("\n".join(lines).encode("gb18030" if change == "latin" else "utf-8"))
    assert main(["train", *TABLE, EVERY_KIND, TASKS, *SHORT]) == 3
    said = {"extra": "line 2: 11 cells", "short": "line 6: 9 cells", "twice": "called 'mood'", "latin": "not UTF-8"}
    assert said[change] in capsys.readouterr().err
    assert nothing_left()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["fusion=weighted", "fusion.weights=[1.0,2.0]"], "one is needed for each of"),
        (["balance.weights={digit: 2.0}"], "there is no loss ['digit']"),
        (["encoder.text.dim=63"], "dim=63"),
        (["encoder.text.prepare.stem=englisch"], "did you mean 'english'?"),
        (["encoder.text.prepare.stem=english", "encoder.text.prepare.lemmatise=en"], "choose one"),
        (["encoder.audio.time_masks=2"], "both are needed"),
        (["early_stopping.monitor=val/nonsense"], "val/nonsense"),
        (["trainer.precision=17"], "trainer"),
        (["trainer.accelerator=tpu"], "trainer"),
        (["trainer.devices=4000", "trainer.accelerator=cpu"], "CPU cores here"),
        (["trainer.devices=[0,1]", "trainer.accelerator=cpu"], "a number is needed"),
        (["optimizer.lr=-1.0"], "optimizer"),
        (["dataset.split.ratios=[1.0,2.0]"], "three shares"),
        (["dataset.split.column=part"], "no columns"),
    ],
)
def test_settings_that_cannot_be_are_refused_and_leave_nothing(capsys, typed, says):
    assert main(["train", *typed, *SHORT]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert len(message.splitlines()) <= 6
    assert nothing_left()


def test_a_folder_that_cannot_be_written(capsys):
    Path("outputs").write_text("a file in the way")
    assert main(["train", *SHORT]) == 2
    assert "output_dir=DIR" in capsys.readouterr().err


def test_a_loss_that_is_not_a_number_ends_the_run(capsys):
    assert main(["train", "optimizer.lr=1e30", "trainer.gradient_clip_val=null", *SHORT]) == 4
    message = capsys.readouterr().err
    assert "loss task/digit is" in message
    assert "at step" in message
    assert "image (encoder's output)" in message
    status = read(only_run(), "status.json")
    assert (status["state"], status["exit_code"]) == ("failed", 4)


def test_check_trains_nothing_and_leaves_nothing(capsys):
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert "1797 rows" in said
    assert "Nothing was trained" in said
    assert nothing_left()


def test_check_counts_every_broken_file_and_fails(rows, capsys):
    cut_picture(rows)
    Path("5.wav").write_text("no sound")
    Path("9.png").unlink()
    assert main(["check", *TABLE, EVERY_KIND, TASKS, "--json"]) == 3
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {(e["check"], e["where"]): (e["grade"], e["rows"]) for e in events if e["event"] == "finding"}
    assert found["unreadable", "photo"] == ("error", [7])
    assert found["unreadable", "sound"] == ("error", [5])
    assert found["not found", "photo"] == ("warning", [9])


def test_json_lines_are_all_that_is_on_stdout(capsys):
    assert main(["train", "modalities=[text]", *SHORT[:-1], "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events] == ["run", "described", "audit", "replicate", "epoch", "metrics", "saved"]


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    assert main(["train", *SHORT, "--dry-run"]) == 0
    (folder / "config.yaml").write_text(capsys.readouterr().out)
    said = json.dumps({"state": "running", "pid": 1})
    (folder / "status.json").write_text(said)
    with FileLock(folder / ".lock"):
        assert main(["train", "--resume", str(folder), "--quiet"]) == 2
    assert "another process is at this run" in capsys.readouterr().err
    assert (folder / "status.json").read_text() == said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_saves_a_checkpoint(number, code):
    started = subprocess.Popen(
        [sys.executable, "-m", "mmfuse.cli", "train", "trainer.max_epochs=500", "early_stopping.patience=500"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    for line in started.stdout:
        if line.startswith("epoch"):
            break
    time.sleep(0.2)
    started.send_signal(number)
    started.communicate(timeout=60)
    assert started.returncode == code
    status = read(only_run(), "status.json")
    assert (status["state"], status["exit_code"]) == ("preempted", code)
    saved = torch.load(only_run() / "seed-0" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] > 0
    assert not list(only_run().rglob(".*"))


@pytest.mark.slow
@pytest.mark.skipif(
    not Path(os.environ.get("MMFUSE_DATA", "?"), "av_digits").is_dir(), reason="MMFUSE_DATA has no av_digits"
)
def test_real_spoken_and_written_digits():
    assert main(["train", "dataset=av_digits", "modalities=[image]", *SHORT, "trainer.max_epochs=3"]) == 0
    manifest = read(only_run(), "manifest.json")
    (split,) = manifest["data"]["splits"]
    assert {part: split[part] for part in ("train", "val", "test")} == {"train": 2400, "val": 300, "test": 300}
    assert read(only_run(), "metrics.json")["test"]["digit"]["accuracy"]["mean"] > 0.3  # chance is 0.1
