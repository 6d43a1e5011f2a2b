"""The model card of a run: what Hugging Face reads of it, what it says, and what it must not."""

import json

import pytest
import yaml

from mmfuse.cli import main
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.listener import Finding
from mmfuse.record.model_card import card
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression

SECRET = "hunter2-do-not-tell"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("card")
    keys = ["modalities=[text]", "trainer.max_epochs=1", "bootstrap=20", "threads=1", "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", SECRET)
        assert main(["train", *keys, "seeds=[0,1]", f"output_dir={outputs}"]) == 0
    return (outputs / "latest").resolve()


def parts(text: str) -> tuple[dict, str]:
    _, front, rest = text.split("---\n", 2)
    return yaml.safe_load(front), rest


def test_its_front_matter_is_what_hugging_face_reads(run):
    from huggingface_hub import ModelCard

    read = ModelCard.load(run / "model_card.md").data
    metrics = json.loads((run / "metrics.json").read_text())
    told = {result.metric_type: result.metric_value for result in read.eval_results}
    assert read.library_name == "mmfuse"
    assert "gated" in read.tags
    for name in ("accuracy", "f1_macro"):
        assert told[name] == pytest.approx(metrics["test"]["digit"][name]["mean"])
    assert {result.dataset_name for result in read.eval_results} == {"digits"}


def test_it_has_the_figures_and_what_was_not_measured(run):
    _, text = parts((run / "model_card.md").read_text())
    manifest = json.loads((run / "manifest.json").read_text())
    splits = manifest["data"]["splits"][0]
    assert f"| one split | {splits['train']} | {splits['val']} | {splits['test']} |" in text
    assert f"{manifest['parameters']:,} parameters" in text
    assert "95 % bootstrap interval" in text
    assert "## Limits" in text
    assert "Whether fusing helps" not in text  # there is nothing to fuse
    assert "One seed" not in text


def test_it_tells_no_secret_and_no_folder(run):
    text = (run / "model_card.md").read_text()
    assert SECRET not in text
    assert str(run.parent) not in text


MANIFEST = {
    "choices": {"dataset": "digits", "fusion": "gated", "model": "feature"},
    "versions": {"mmfuse": "9.9"},
    "created": "2030-01-02T00:00:00+0000",
    "parameters": 1234567,
    "seeds": [3],
    "folds": None,
    "hardware": {"accelerators": [], "machine": "m", "cpus": 2},
    "data": {
        "rows": 10,
        "fingerprint": "f",
        "splits": [{"train": 6, "val": 2, "test": 2}],
        "missing": {"image": 4},
        "classes": {"grade": None},
    },
}


def made(**changed) -> str:
    cfg = compose([], Catalog())
    figures = {"mae": {"mean": 1.5, "std": None, "ci95": [1.0, 2.0], "values": [1.5]}}
    figures["pearson"] = {"mean": None, "std": None, "ci95": [None, None], "values": [None]}
    given = {"metrics": {"test": {"grade": figures}}, "findings": [], "tasks": {"grade": Regression()}} | changed
    return card("run-1", cfg, MANIFEST, **given)


def test_a_figure_that_is_not_there_is_left_out_of_the_front_matter():
    front, text = parts(made())
    (result,) = front["model-index"][0]["results"]
    assert result["task"] == {"type": "regression", "name": "grade"}
    assert [metric["value"] for metric in result["metrics"]] == [1.5]
    assert "pearson n/a" in text
    assert "| image | image | 4 |" in text
    assert "Whether fusing helps was not measured" in text
    assert "One seed was trained" in text


def test_the_verdict_is_told_in_words():
    against = {"value": 0.8, "difference": 0.1, "ci95": [0.05, 0.15], "p_holm": 0.001, "detectable": 0.03}
    table = {"figure": "accuracy", "best": "image", "verdict": "HELPS", "against": {"image": against}}
    test = {"accuracy": {"mean": 0.9, "std": None, "ci95": [0.8, 1.0], "values": [0.9]}}
    metrics = {"test": {"digit": test}, "verdict": {"digit": table}}
    text = made(metrics=metrics, tasks={"digit": Multiclass(["a", "b"])})
    assert "fusion HELPS: accuracy +.100 [+.050, +.150] over the best single modality (image, .800)" in text
    assert "Whether fusing helps" not in text


def test_what_the_audit_warns_of_is_told_by_name_and_not_by_place():
    said = "3 files are broken, the first /home/someone/photos/a.png (row 2)."
    text = made(findings=[Finding("warning", "broken", "image", said), Finding("note", "classes", "", "Fine.")])
    assert "- image, broken: 3 files are broken, the first a.png (row 2)." in text
    assert "someone" not in text
    assert "Fine." not in text
