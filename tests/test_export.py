"""Exported models say what the models say, or they are not there."""

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mmfuse.cli import main
from mmfuse.export import checked
from mmfuse.recurrent import run_packed
from mmfuse.stepwise import Stepwise

KEYS = ["dataset=table", "dataset.file=rows.csv", "dataset.id=id", "fusion.dim=8", "strategy=multi_task"]
KEYS += ["dataset.modalities={review: {kind: text}, scores: {kind: vector}}"]
KEYS += ["dataset.tasks={mood: {kind: multiclass}, grade: {kind: regression}}"]
KEYS += ["encoder.review.dim=8", "encoder.review.embedding=8", "encoder.scores.dim=8"]
KEYS += ["trainer.max_epochs=2", "bootstrap=20", "threads=1", "batch_size=16", "--quiet"]
DOCUMENT = Path(__file__).parent.parent / "docs" / "serving.md"


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """A run of two seeds on a table, and rows without labels, of which each lacks something else."""
    folder = tmp_path_factory.mktemp("export")
    random, words = np.random.default_rng(0), ["bad", "good", "very", "rather", "not"]
    table = [
        {
            "id": f"r{n}",
            "review": " ".join([*random.choice(words, n % 5), words[n % 2]]),
            "scores": json.dumps(random.standard_normal(3).round(2).tolist()),
            "mood": ["sad", "glad"][n % 2],
            "grade": 100.0 * (n % 2) + n,
        }
        for n in range(60)
    ]
    pd.DataFrame(table).to_csv(folder / "rows.csv", index=False)
    new = pd.DataFrame(table[:7]).drop(columns=["mood", "grade"])
    new.loc[2, "review"], new.loc[4, "scores"] = "", ""
    new.to_csv(folder / "new.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", *KEYS, "seeds=[0,1]"]) == 0
        yield folder


@pytest.fixture(scope="module")
def files(here):
    """Both formats of seed 0, and what `predict` says of the new rows by it."""
    for kind in ("onnx", "pt2"):
        assert main(["export", "outputs/latest", "--format", kind, "-o", f"model.{kind}", "--quiet"]) == 0
    asked = ["outputs/latest", "new.csv", "-o", "said.csv", "--seed", "0", "--prepared", "rows.npz", "--quiet"]
    assert main(["predict", *asked]) == 0
    return pd.read_csv("said.csv")


def code() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_what_the_document_shows_says_what_predict_says(files):
    with_onnx, with_torch = code()
    told = files[["mood/p(glad)", "mood/p(sad)"]].to_numpy()
    space: dict = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(with_onnx.partition("for task,")[0], space)
    classes = space["about"]["tasks"]["mood"]["classes"]
    told = files[[f"mood/p({name})" for name in classes]].to_numpy()
    np.testing.assert_allclose(space["said"]["mood"], told, atol=1e-4)
    np.testing.assert_allclose(space["said"]["grade"], files["grade/predicted"], rtol=1e-4)
    assert list(space["rows"]["id"]) == list(files["id"])
    space = {}
    exec(with_torch, space)
    np.testing.assert_allclose(space["said"]["mood"], told, atol=1e-4)
    np.testing.assert_allclose(space["said"]["grade"], files["grade/predicted"], rtol=1e-4)


def test_what_the_document_prints_is_a_line_a_row(files, capsys):
    lines = code()[0].replace(
        "for task, probabilities in said.items()", "for task, probabilities in [('mood', said['mood'])]"
    )
    exec(lines, {})
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in said] == list(files["id"])
    assert [line[2] for line in said] == list(files["mood/predicted"])


def test_what_is_beside_the_file_tells_what_goes_in_and_what_was_checked(files):
    about = json.loads(Path("model.onnx.json").read_text())
    assert about["inputs"]["review"] == {"shape": [None, None], "dtype": "int64"}
    assert about["inputs"]["review_mask"] == {"shape": [None, None], "dtype": "bool"}
    assert about["inputs"]["scores"] == {"shape": [None, 1, 3], "dtype": "float32"}
    assert about["modalities"] == {"review": "text", "scores": "vector"}
    assert about["model"] == "seed-0"
    assert about["checked"]["rows"] == [1, 12]
    assert about["checked"]["difference"] < 1e-4
    assert about["data"] == json.loads(Path("outputs/latest/manifest.json").read_text())["data"]["fingerprint"]


@torch.no_grad()
def test_a_missing_modality_is_not_heard_whatever_stands_in_its_place(files):
    model = torch.export.load("model.pt2").module()
    rows = np.load("rows.npz")
    inputs = {name: torch.from_numpy(rows[name]) for name in rows if name != "id"}
    assert not inputs["scores_mask"][4].any()
    before = model(**inputs)["mood"]
    inputs["scores"][4] = 1e3
    torch.testing.assert_close(model(**inputs)["mood"], before)
    inputs["scores"][3] = 1e3  # which is there
    assert not torch.allclose(model(**inputs)["mood"], before)


@torch.no_grad()
def test_calibrated_probabilities_are_tempered_by_that_seeds_own_temperature(files):
    keys = ["--format", "pt2", "-o", "calibrated.pt2", "--seed", "1", "--calibrated", "--quiet"]
    assert main(["export", "outputs/latest", *keys]) == 0
    asked = ["outputs/latest", "new.csv", "-o", "one.csv", "--seed", "1", "--quiet"]
    assert main(["predict", *asked]) == 0
    metrics = json.loads(Path("outputs/latest/metrics.json").read_text())
    temperature = metrics["calibration"]["mood"]["temperature"]["values"][1]
    classes = json.loads(Path("calibrated.pt2.json").read_text())["tasks"]["mood"]["classes"]
    plain = pd.read_csv("one.csv")[[f"mood/p({name})" for name in classes]].to_numpy()
    raised = plain ** (1 / temperature)
    rows = np.load("rows.npz")
    inputs = {name: torch.from_numpy(rows[name]) for name in rows if name != "id"}
    said = torch.export.load("calibrated.pt2").module()(**inputs)["mood"].numpy()
    np.testing.assert_allclose(said, raised / raised.sum(axis=1, keepdims=True), atol=1e-4)


def test_a_file_that_says_something_else_is_not_kept(monkeypatch, capsys):
    save = checked.save_pt2

    def other(program, to):
        for weight in program.state_dict.values():
            weight.data.add_(0.5)
        save(program, to)

    monkeypatch.setattr(checked, "save_pt2", other)
    assert main(["export", "outputs/latest", "--format", "pt2", "-o", "off.pt2", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert re.search(r"up to [\d.]+ apart", said)
    assert "--format onnx" in said
    assert not list(Path().glob("*off.pt2*"))


def test_a_model_that_cannot_be_followed_says_so_in_two_lines(monkeypatch, capsys):
    from mmfuse.models.feature import FeatureFusion

    read = FeatureFusion.read

    def by_what_it_holds(self, encoded):
        quiet = all(float(signal.data.abs().max()) < 1e6 for signal in encoded.values())  # no graph knows
        return read(self, encoded if quiet else {})

    monkeypatch.setattr(FeatureFusion, "read", by_what_it_holds)
    assert main(["export", "outputs/latest", "--format", "pt2", "-o", "none.pt2", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "cannot follow this model" in said
    assert len(said.splitlines()) == 2
    assert not Path("none.pt2").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["--format", "pt2", "-o", "model.onnx"], "ends in .pt2"),
        (["--format", "pt2", "--opset", "18"], "is of ONNX"),
        (["--format", "onnx", "--opset", "9"], "18 and later"),
        (["--format", "pt2", "-o", "nowhere/model.pt2"], "there is no folder"),
        (["--format", "pt2", "--seed", "7"], "the run has 0, 1"),
    ],
)
def test_what_cannot_be_asked_for(keys, said, capsys):
    assert main(["export", "outputs/latest", *keys]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [False, True])
def test_a_scan_says_what_a_packed_network_says(kind, both):
    rnn = kind(3, 4, 2, batch_first=True, bidirectional=both).eval()
    data, mask = torch.randn(5, 6, 3), torch.arange(6) < torch.tensor([6, 1, 0, 4, 5])[:, None]  # (B, T)
    mask[3, 1] = False  # a hole
    with torch.no_grad():
        want, have = run_packed(rnn, data, mask), run_packed(Stepwise(rnn), data, mask)
    torch.testing.assert_close(have, want)


@pytest.mark.parametrize("both", [False, True])
def test_the_end_of_a_scan_is_where_a_packed_network_comes_to(both):
    from mmfuse.fusion.early import EarlyFusion
    from mmfuse.types import Signal

    fusion = EarlyFusion({"a": 3, "b": 2}, dim=4, cell="gru", bidirectional=both).eval()
    mask = torch.arange(6) < torch.tensor([6, 1, 0, 4])[:, None]
    signals = {m: Signal(torch.randn(4, 6, d), mask) for m, d in (("a", 3), ("b", 2))}
    with torch.no_grad():
        want = fusion(signals).pooled()
        fusion.rnn = Stepwise(fusion.rnn)
        torch.testing.assert_close(fusion(signals).pooled(), want)
