"""What a run is compared with: runs of their own, trained once."""

import numpy as np
import pytest

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.listener import Listener
from mmfuse.metrics.summary import Answers
from mmfuse.record import answers
from mmfuse.run import baselines
from mmfuse.run.train import run
from mmfuse.run.verdict import verdict
from mmfuse.tasks.multiclass import Multiclass

SHORT = ("modalities=[image,text]", "trainer.max_epochs=1", "threads=1", "bootstrap=10")


class Heard(Listener):
    def __init__(self):
        self.known = {}

    def baseline(self, name, number, of, known, said):
        self.known[name] = known


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A run of two tasks with its baselines, and the same once more."""
    place = tmp_path_factory.mktemp("runs")
    cfg = compose(
        [*SHORT, "strategy=multi_task", "tasks=[digit,parity]", "baselines=true", f"output_dir={place}"], Catalog()
    )
    heard, again = Heard(), Heard()
    for name, listener in (("first", heard), ("second", again)):
        (place / name).mkdir()
        metrics = run(cfg, place / name, listener)
    return cfg, metrics, heard.known, again.known


def test_are_trained_once(several):
    _, _, first, second = several
    names = ["image", "text", "concat", "task digit", "task parity"]
    assert first == dict.fromkeys(names, False)
    assert second == dict.fromkeys(names, True)


def test_are_what_would_be_trained_if_typed(several, tmp_path):
    _, metrics, _, _ = several
    typed = {
        "text": ["modalities=[text]", "strategy=multi_task", "tasks=[digit,parity]", "fusion=concat"],
        "task parity": ["tasks=[parity]"],
    }
    for name, keys in typed.items():
        place = tmp_path / name
        place.mkdir()
        same = run(compose([*SHORT, *keys], Catalog()), place, Listener())["test"]
        for task, table in same.items():
            assert metrics["baselines"][name]["test"][task]["accuracy"]["values"] == table["accuracy"]["values"]


def test_gain_is_the_mean_relative_one(several):
    """By hand from the accuracies."""
    _, metrics, _, _ = several
    each = []
    for task in ("digit", "parity"):
        alone = metrics["baselines"][f"task {task}"]["test"][task]["accuracy"]["mean"]
        each.append(metrics["test"][task]["accuracy"]["mean"] / alone - 1)
    assert metrics["gain"] == pytest.approx(sum(each) / 2)


def test_leave_out_what_is_about_several_modalities():
    cfg = compose([*SHORT, "objectives=[unimodal]", "fusion=film", "schedule=alternating", "model=late"], Catalog())
    found = baselines.wanted(cfg)
    assert list(found) == ["image", "text", "concat"]
    assert list(found["image"]["dataset"]["modalities"]) == list(found["image"]["encoder"]) == ["image"]
    for about in found.values():
        assert about["objectives"] == {}
        assert about["fusion"]["_target_"].endswith("ConcatFusion")
        assert about["model"]["_target_"].endswith("FeatureFusion")
        assert about["schedule"]["_target_"].endswith("Synchronous")


def test_settings_that_change_no_result_find_the_same():
    cfg = compose([*SHORT, "baselines=true"], Catalog())
    other = compose([*SHORT, "baselines=true", "name=another", "output_dir=elsewhere", "fusion=mean"], Catalog())
    changed = compose([*SHORT, "baselines=true", "optimizer.lr=1e-3"], Catalog())
    keys = [[baselines.key(about, "data") for about in baselines.wanted(c).values()] for c in (cfg, other, changed)]
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])
    assert keys[0] != [baselines.key(about, "other data") for about in baselines.wanted(cfg).values()]


def test_the_verdict_is_against_the_best_on_validation(several):
    _, metrics, _, _ = several
    for task in ("digit", "parity"):
        table = metrics["verdict"][task]
        about = table["against"][table["best"]]
        assert table["best"] in ("image", "text")
        assert set(table["against"]) == {table["best"], "concat"}
        fused = metrics["test"][task]["accuracy"]["mean"]
        alone = metrics["baselines"][table["best"]]["test"][task]["accuracy"]["mean"]
        assert about["difference"] == pytest.approx(fused - alone)
        assert about["p_holm"] >= about["p"]


def test_the_best_single_modality_is_not_chosen_on_the_test_rows(tmp_path):
    """Text is better on validation, image on the test rows: it is text that fusing is judged against."""
    target = np.arange(20) % 2
    right = {"text": 8, "image": 16, "concat": 18}
    folders, metrics, runs = {}, {}, {}
    for name, n in right.items():
        said = np.eye(2)[np.where(np.arange(20) < n, target, 1 - target)]
        runs[name] = Answers({"t": np.arange(20)}, {"t": said}, {"t": target})
        folders[name] = tmp_path / name
        (folders[name] / "seed-0").mkdir(parents=True)
        (folders[name] / "config.yaml").write_text("folds: null\nseeds: [0]\n", encoding="utf-8")
        answers.save(folders[name] / "seed-0/answers.npz", {"test": runs[name]})
        on_val = {"text": 0.9, "image": 0.5, "concat": 0.9}[name]
        metrics[name] = {s: {"t": {"accuracy": {"mean": v}}} for s, v in (("val", on_val), ("test", n / 20))}
    tasks = {"t": Multiclass(["a", "b"])}
    found = verdict(tasks, [runs["concat"]], folders, metrics, ["text", "image"], 200)["t"]
    assert found["best"] == "text"
    assert found["against"]["text"]["difference"] == pytest.approx(10 / 20)
    assert found["against"]["text"]["p"] == pytest.approx(2 * 0.5**10)  # ten rows against none, both ways
    assert found["verdict"] == "HELPS"
    assert found["against"]["concat"]["verdict"] == "NO EVIDENCE"
