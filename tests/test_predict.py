"""Finished runs, asked again: about their own rows, and about rows that they have not seen."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

from mmfuse.cli import main

SHORT = ["trainer.max_epochs=1", "bootstrap=50", "threads=1", "batch_size=16", "--quiet"]
MODALITIES = (
    "dataset.modalities={review: {kind: text}, photo: {kind: image}, sound: {kind: audio}, pose: {kind: sequence}, "
    "scores: {kind: vector}, who: {kind: tabular, columns: [age, town]}}"
)
TASKS = "dataset.tasks={mood: {kind: multiclass}, grade: {kind: regression}, tags: {kind: multilabel}}"
KEYS = ["dataset=table", "dataset.file=rows.csv", "dataset.id=id", "dataset.split.column=part", MODALITIES, TASKS]
KEYS += ["strategy=multi_task"]
MINI = ["dataset=table", "dataset.file=rows.csv", "dataset.id=id", "dataset.split.column=part"]
MINI += [
    "dataset.modalities={review: {kind: text}, scores: {kind: vector}}",
    "dataset.tasks={mood: {kind: multiclass}}",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with 60 rows of every kind that needs no pretrained model, and two runs on them."""
    folder = tmp_path_factory.mktemp("predict")
    random, table = np.random.default_rng(0), []
    for row in range(60):
        label = row % 2
        Image.fromarray((random.random((12, 10)) * 100 + 100 * label).astype(np.uint8)).save(folder / f"{row}.png")
        soundfile.write(folder / f"{row}.wav", np.sin(np.arange(800 + 20 * row) * (0.3 + 0.5 * label)) * 0.3, 8000)
        np.save(folder / f"{row}.npy", random.standard_normal((1 + row % 5, 4)) + label)
        about = {
            "id": f"r{row}",
            "review": "" if row == 43 else ["very bad", "rather good"][label],
            "photo": "" if row == 44 else f"{row}.png",
            "sound": f"{row}.wav",
            "pose": f"{row}.npy",
            "scores": json.dumps([label + 0.1 * row, 1.0, -label]),
            "age": 20 + row,
            "town": ["A", "B", ""][row % 3],
            "mood": ["sad", "glad"][label],
            "grade": label + row / 100,
            "tags": ["x", "x,y", "y,z"][row % 3],
            "part": ["train", "train", "train", "dev", "test", "test"][row // 10],
        }
        table.append(about)
    whole = pd.DataFrame(table)
    whole.to_csv(folder / "rows.csv", index=False)
    new = whole[whole.part == "test"].drop(columns=["mood", "grade", "tags", "part"])
    new.to_csv(folder / "new.csv", index=False)  # no labels, no split
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", *KEYS, *SHORT, "seeds=[0,1]", "name=every"]) == 0
        assert main(["train", *MINI, *SHORT, "name=mini"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(trained, monkeypatch):
    monkeypatch.chdir(trained)


def run(name: str) -> Path:
    (folder,) = Path("outputs").glob(f"{name}-*")
    return folder


def recorded(name: str, seed: int = 0) -> pd.DataFrame:
    """What the run itself wrote of its test rows, without their labels."""
    table = pd.read_parquet(run(name) / f"seed-{seed}" / "predictions.parquet")
    return table[[column for column in table if not column.endswith("/target")]]


def predicted(*typed: str) -> pd.DataFrame:
    file = Path("said.parquet")
    file.unlink(missing_ok=True)
    assert main(["predict", *typed, "-o", str(file), "--quiet"]) == 0
    return pd.read_parquet(file)


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """To the last bit."""
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True)


def test_a_fresh_process_says_of_the_test_rows_what_the_run_said():
    command = [
        sys.executable,
        "-m",
        "mmfuse.cli",
        "predict",
        str(run("every")),
        "test",
        "--seed",
        "1",
        "-o",
        "a.parquet",
    ]
    subprocess.run(command, check=True, capture_output=True)
    same(pd.read_parquet("a.parquet"), recorded("every", seed=1))


def test_the_same_rows_without_labels_are_predicted_alike():
    told = predicted(str(run("every")), "new.csv", "--seed", "0")
    assert told["row"].tolist() == list(range(20))
    same(told.drop(columns="row"), recorded("every").drop(columns="row"))


def test_seeds_are_averaged():
    told = predicted(str(run("every")), "new.csv")
    a, b = recorded("every", 0), recorded("every", 1)
    for column in ("mood/p(glad)", "grade/predicted", "tags/p(y)"):
        np.testing.assert_allclose(told[column], (a[column] + b[column]) / 2, rtol=1e-12)
    assert (told["mood/predicted"] == np.where(told["mood/p(glad)"] > 0.5, "glad", "sad")).all()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_no_digit_is_lost_whatever_the_kind_of_file(suffix):
    assert main(["predict", str(run("mini")), "new.csv", "-o", f"said.{suffix}", "--quiet"]) == 0
    if suffix == "csv":
        told = pd.read_csv("said.csv", dtype=str).astype({"mood/p(sad)": float})
    else:
        told = pd.DataFrame([json.loads(line) for line in Path("said.jsonl").read_text().splitlines()])
    same(told["mood/p(sad)"].to_frame(), recorded("mini")["mood/p(sad)"].to_frame())
    assert told["id"].tolist() == [f"r{row}" for row in range(40, 60)]


def test_a_modality_that_is_not_there_is_told_once_and_predicted_without(capsys):
    for column in ("who", "review", "photo", "sound", "pose", "scores"):
        columns = ["age", "town"] if column == "who" else column
        pd.read_csv("new.csv").drop(columns=columns).to_csv("less.csv", index=False)
        told = predicted(str(run("every")), "less.csv", "--seed", "0")
        assert told["mood/p(sad)"].between(0, 1).all()
        heard = predicted(
            str(run("every")),
            "new.csv",
            "--seed",
            "0",
            "--modalities",
            ",".join(m for m in ("review", "photo", "sound", "pose", "scores", "who") if m != column),
        )
        np.testing.assert_allclose(told["mood/p(sad)"], heard["mood/p(sad)"], atol=1e-6)
    capsys.readouterr()
    assert main(["predict", str(run("every")), "less.csv", "-o", "said.csv", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (advice,) = [event for event in events if event["event"] == "advised"]
    assert advice["about"] == "scores"
    assert "no row" in advice["said"]
    assert events[-1] | {"rows": 20, "models": ["seed-0", "seed-1"]} == events[-1]


def test_a_row_that_has_nothing_gets_null():
    pd.DataFrame({"review": ["good", ""], "scores": ["[1, 2, 3]", ""]}).to_csv("two.csv", index=False)
    told = predicted(str(run("mini")), "two.csv")
    assert told["id"].tolist() == ["0", "1"]
    assert told.loc[0].notna().all()
    assert told.loc[1].drop(["row", "id"]).isna().all()


def test_a_file_that_is_not_there_is_a_missing_value_and_is_told(capsys):
    rows = pd.read_csv("new.csv")
    rows.loc[5, "photo"] = "gone.png"
    rows.to_csv("torn.csv", index=False)
    assert main(["predict", str(run("every")), "torn.csv", "-o", "said.parquet", "--seed", "0"]) == 0
    assert "photo: 1 of its values cannot be read and count as missing" in capsys.readouterr().out
    rows.loc[5, "photo"] = ""
    rows.to_csv("empty.csv", index=False)
    same(pd.read_parquet("said.parquet"), predicted(str(run("every")), "empty.csv", "--seed", "0"))


def test_a_frozen_encoder_is_heard_from_the_cache_or_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path))
    frozen = ["encoder.photo=vgg16", "encoder.photo.width=8", "encoder.photo.freeze=true"]
    modalities = "dataset.modalities={photo: {kind: image}, scores: {kind: vector}}"
    typed = [key for key in MINI if not key.startswith("dataset.modalities")]
    assert main(["train", *typed, modalities, *frozen, *SHORT, "name=frozen"]) == 0
    same(predicted(str(run("frozen")), "test"), recorded("frozen"))
    capsys.readouterr()
    assert main(["predict", str(run("frozen")), "new.csv", "-o", "said.parquet", "--json"]) == 0
    fresh = [event["fresh"] for line in capsys.readouterr().out.splitlines() if "fresh" in (event := json.loads(line))]
    assert fresh == [19]
    told = pd.read_parquet("said.parquet")  # encoded in other batches, whose sums may round otherwise
    np.testing.assert_allclose(told["mood/p(sad)"], recorded("frozen")["mood/p(sad)"], atol=1e-6)
    pd.read_csv("new.csv").drop(columns="photo").to_csv("less.csv", index=False)
    assert predicted(str(run("frozen")), "less.csv")["mood/p(sad)"].between(0, 1).all()


def test_embeddings_are_vectors_of_the_encoders_widths():
    told = predicted(str(run("every")), "new.csv", "--seed", "0", "--embeddings")
    assert told["embedding(review)"].isna().tolist() == [row == 43 for row in range(40, 60)]
    fused = np.stack(told["embedding(fused for mood)"])
    saved = torch.load(run("every") / "seed-0" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    head = {part: saved[f"model.heads.mood.linear.{part}"].double().numpy() for part in ("weight", "bias")}
    logits = fused.astype(float) @ head["weight"].T + head["bias"]
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(told[["mood/p(glad)", "mood/p(sad)"]], chance, atol=1e-5)


def test_a_column_of_another_name_can_be_pointed_at():
    pd.read_csv("new.csv").rename(columns={"review": "comment"}).to_csv("renamed.csv", index=False)
    told = predicted(str(run("mini")), "renamed.csv", "dataset.modalities.review.column=comment")
    same(told.drop(columns="row"), recorded("mini").drop(columns="row"))


def figures(*typed: str) -> dict:
    assert main(["eval", *typed, "-o", "figures.json", "--quiet"]) == 0
    return json.loads(Path("figures.json").read_text())


def test_a_run_is_scored_again_as_it_was(capsys):
    known = json.loads((run("every") / "metrics.json").read_text())
    assert figures(str(run("every"))) == {"test": known["test"]}
    assert figures(str(run("every")), "--split", "val") == {"val": known["val"]}
    assert main(["eval", str(run("every")), "--seed", "1", "--json"]) == 0
    (event,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    one = event["metrics"]["test"]["mood"]["accuracy"]
    assert one["values"] == known["test"]["mood"]["accuracy"]["values"][1:]


def test_a_run_is_scored_on_another_table_by_its_own_classes():
    """A table whose rows are all of the second class: numbered anew, they would count as the first."""
    rows = pd.read_csv("rows.csv")
    rows[rows.mood == "sad"].drop(columns="part").to_csv("sad.csv", index=False)
    typed = [str(run("mini")), "--split", "all", "dataset.file=sad.csv", "dataset.split.column=null"]
    score = figures(*typed)["all"]["mood"]["accuracy"]["mean"]
    rows[rows.mood == "sad"].drop(columns=["part", "mood"]).to_csv("unlabelled.csv", index=False)
    assert score == (predicted(str(run("mini")), "unlabelled.csv")["mood/predicted"] == "sad").mean()


def test_modalities_that_are_not_named_are_not_heard():
    blind = predicted(str(run("every")), "test", "--seed", "0", "--modalities", "photo,sound")
    score = figures(str(run("every")), "--seed", "0", "--modalities", "photo,sound")["test"]["mood"]["accuracy"]["mean"]
    true = pd.read_csv("rows.csv").mood[40:].to_numpy()
    assert score == (blind["mood/predicted"].to_numpy() == true).mean()


def test_a_run_on_the_digits_reads_a_table_whose_columns_are_its_modalities(tmp_path):
    assert main(["train", "modalities=[image,text]", "name=digits", *SHORT, "batch_size=256"]) == 0
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "black.png")
    lines = ["id,text,image", "a,the digit is nine,black.png", "b,,black.png", "c,,"]
    (tmp_path / "new.csv").write_text("\n".join(lines))
    told = predicted(str(run("digits")), str(tmp_path / "new.csv"))
    assert told["id"].tolist() == ["a", "b", "c"]
    assert told["digit/predicted"].notna().tolist() == [True, True, False]


MISTAKES = [  # what is typed after `mmfuse predict`, exit code, what the message has to say
    (["outputs/none", "new.csv", "-o", "a.csv"], 2, ["no such folder", "outputs/latest"]),
    (["outputs", "new.csv", "-o", "a.csv"], 2, ["not the folder of a run", "did you mean outputs/"]),
    (["RUN", "gone.csv", "-o", "a.csv"], 3, ["gone.csv", "not found"]),
    (["RUN", "new.csv", "-o", "a.xlsx"], 2, [".csv, .jsonl, .parquet"]),
    (["RUN", "new.csv", "-o", "none/a.csv"], 2, ["no folder none", "mkdir"]),
    (["RUN", "new.csv", "-o", "new.csv"], 2, ["write over"]),
    (["RUN", "new.csv"], 2, ["-o", "mmfuse predict --help"]),
    (["RUN", "new.csv", "-o", "a.csv", "--seed", "7"], 2, ["the run has 0"]),
    (["RUN", "new.csv", "-o", "a.csv", "--modalities", "reviw"], 2, ["did you mean 'review'?"]),
    (["RUN", "new.csv", "-o", "a.csv", "fusion=concat"], 2, ["'fusion' cannot be changed"]),
    (["RUN", "new.csv", "-o", "a.csv", "dataset.fil=x"], 2, ["did you mean 'file'?"]),
    (["RUN", "strange.csv", "-o", "a.csv"], 3, ["strange.csv", "anything to predict from", "words"]),
    (["RUN", "bad.csv", "-o", "a.csv"], 3, ["scores", "row 0"]),
]


@pytest.mark.parametrize(("typed", "code", "said"), MISTAKES)
def test_mistakes_are_told_with_what_to_do(typed, code, said, capsys):
    pd.DataFrame({"words": ["good"]}).to_csv("strange.csv", index=False)
    pd.DataFrame({"scores": ["[1, 2]"]}).to_csv("bad.csv", index=False)
    before = Path("new.csv").read_bytes()
    assert main(["predict", *(str(run("mini")) if word == "RUN" else word for word in typed)]) == code
    err = capsys.readouterr().err
    assert all(part in err for part in said), err
    assert 1 <= len(err.splitlines()) <= 6
    assert not Path("a.csv").exists()
    assert Path("new.csv").read_bytes() == before


def test_runs_that_cannot_be_asked_say_why(capsys, tmp_path):
    for name, spoil, said in (
        ("unfinished", lambda f: (f / "status.json").write_text('{"state": "running"}'), "not finished"),
        ("lost", lambda f: (f / "seed-0" / "checkpoints" / "best.ckpt").unlink(), "best.ckpt is missing"),
        ("cut", lambda f: (f / "seed-0" / "checkpoints" / "best.ckpt").write_bytes(b"PK"), "best.ckpt is damaged"),
        ("hostile", lambda f: (f / "config.yaml").write_text("fusion: {_target_: os.system}"), "os.system"),
    ):
        shutil.copytree(run("mini"), tmp_path / name)
        spoil(tmp_path / name)
        assert main(["predict", str(tmp_path / name), "new.csv", "-o", "a.csv"]) == 2
        assert said in capsys.readouterr().err, name
    shutil.copytree(run("mini"), tmp_path / "older")
    manifest = json.loads((tmp_path / "older" / "manifest.json").read_text())
    manifest["versions"]["mmfuse"] = "0.0.1"
    (tmp_path / "older" / "manifest.json").write_text(json.dumps(manifest))
    assert main(["predict", str(tmp_path / "older"), "new.csv", "-o", "old.csv"]) == 0
    assert "made by mmfuse 0.0.1" in capsys.readouterr().out
