"""The verdict on data whose answer is known: what only two modalities together say, and what one says alone.

s_a = a . u and s_b = b . u with a and b normal and u = 1 / sqrt(8) (1, ..., 1); xor: s_a s_b > 0; unique: s_a > 0.
"""

import json

import numpy as np
import pandas as pd
import pytest

from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.listener import Listener
from mmfuse.run.train import run

ROWS, WIDTH = 1200, 8


def table(answer: str) -> pd.DataFrame:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, ROWS, WIDTH)).round(4)
    s_a, s_b = a.sum(axis=1) / WIDTH**0.5, b.sum(axis=1) / WIDTH**0.5
    right = s_a * s_b > 0 if answer == "xor" else s_a > 0
    cells = {"a": [json.dumps(row.tolist()) for row in a], "b": [json.dumps(row.tolist()) for row in b]}
    part = np.repeat(["train", "val", "test"], [700, 100, 400])
    return pd.DataFrame(cells | {"answer": np.where(right, "yes", "no"), "part": part})


@pytest.mark.parametrize(("answer", "wanted"), [("xor", "HELPS"), ("unique", "NO EVIDENCE")])
def test_says_what_is_known(answer, wanted, tmp_path):
    table(answer).to_csv(tmp_path / "rows.csv", index=False)
    keys = [
        "dataset=table",
        f"dataset.file={tmp_path / 'rows.csv'}",
        "dataset.split.column=part",
        "dataset.modalities={a: {kind: vector}, b: {kind: vector}}",
        "dataset.tasks={answer: {kind: multiclass}}",
        "fusion=concat",
        "trainer.max_epochs=25",
        "early_stopping.patience=25",
        "optimizer.lr=0.005",
        "batch_size=100",
        "threads=1",
        "bootstrap=200",
        "baselines=true",
        f"output_dir={tmp_path}",
    ]
    (tmp_path / "run").mkdir()
    metrics = run(compose(keys, Catalog()), tmp_path / "run", Listener())
    about = metrics["verdict"]["answer"]
    accuracy = {"fused": metrics["test"]["answer"]["accuracy"]["mean"]}
    accuracy |= {m: metrics["baselines"][m]["test"]["answer"]["accuracy"]["mean"] for m in "ab"}
    assert accuracy["fused"] > 0.8
    if answer == "xor":
        assert max(accuracy["a"], accuracy["b"]) < 0.6
    else:
        assert about["best"] == "a"
        assert accuracy["a"] > 0.9
    assert about["verdict"] == wanted
