"""What it costs to judge a run: intervals, what each modality gives, predictions, a table over a thousand runs.

`python scripts/bench_judging.py [NAME ...]`, of intervals, contributions, predict, compare. Times are CPU time, to
mean something on a machine that is not idle.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from bench import Row, main, prepared, settings
from sklearn import metrics as sk

from mmfuse.cli import main as mmfuse
from mmfuse.contribution.contributions import contributions
from mmfuse.data.columns import Stored
from mmfuse.encoders.mlp import MLP
from mmfuse.fusion.gated import GatedFusion
from mmfuse.learner.asked import Asked, ask
from mmfuse.metrics.bootstrap import draw, intervals
from mmfuse.models.feature import FeatureFusion
from mmfuse.run.loader import loader
from mmfuse.run.make import make
from mmfuse.run.prepare import Prepared
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Encoder, Model, Ragged

ROWS, CLASSES, DRAWS = 2000, 10, 10_000
TASK = Multiclass([str(k) for k in range(CLASSES)])


def spent(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def answers() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    target = random.integers(CLASSES, size=ROWS)
    logits = random.normal(size=(ROWS, CLASSES)) + 2 * np.eye(CLASSES)[target]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), target


def bootstrapped() -> Iterator[Row]:
    """All sixteen figures of a classification; the rival is scikit-learn, one draw at a time, of five of them."""
    said, target = answers()
    ours = spent(lambda: intervals(TASK, [(np.arange(ROWS), said, target)], DRAWS))
    few = 20
    ((counts,),) = draw([np.arange(ROWS)], few)

    def one_by_one() -> None:
        for times in counts.astype(int):
            rows = np.repeat(np.arange(ROWS), times)
            sk.accuracy_score(target[rows], said[rows].argmax(1))
            sk.precision_recall_fscore_support(target[rows], said[rows].argmax(1), average="macro", zero_division=0.0)
            sk.roc_auc_score(target[rows], said[rows], multi_class="ovr", labels=range(CLASSES))

    rival = spent(one_by_one) * DRAWS / few
    yield Row(f"{DRAWS:,} draws of {ROWS:,} rows, five figures of ours and more", ours, rival, None, "s")
    yield Row("the same", ours, None, ("<", 3.0), "s")


def model(modalities: int) -> tuple[Model, Prepared]:
    """Vectors of 32 numbers, gated, as the default fuses them."""
    torch.manual_seed(0)
    names = [f"m{k}" for k in range(modalities)]
    encoders: dict[str, Encoder] = {m: MLP(32) for m in names}
    columns = {m: Stored(Ragged(torch.randn(ROWS, 32), torch.ones(ROWS, dtype=torch.long))) for m in names}
    about = prepared(dict(columns), {"kind": torch.randint(CLASSES, (ROWS,))}, ROWS)
    return FeatureFusion(encoders, {"kind": TASK}, GatedFusion), about


def given() -> Iterator[Row]:
    network, about = model(4)

    def asked(rows: int, **settings_: Any) -> float:
        batches = loader(settings(256), about, np.arange(rows), None)
        return spent(lambda: contributions(network, batches, {"kind": TASK}, rates=(), **settings_))

    yield Row("exact Shapley values, 4 modalities, 2,000 rows", asked(ROWS, emap_rows=0), None, ("<", 10.0), "s")
    yield Row("EMAP, 4 modalities, 500 rows", asked(500, draws=1), None, ("<", 10.0), "s")


def predictions() -> Iterator[Row]:
    """What `mmfuse predict` asks, against a loop by hand over the same batches that asks the model alone."""
    network, about = model(3)
    network.eval()
    rows = np.tile(np.arange(ROWS), 20)
    batches = loader(settings(64), about, rows, None)
    trainer = partial(make, {"_target_": "pytorch_lightning.Trainer", "accelerator": "cpu", "devices": 1}, "trainer")

    def by_hand() -> None:
        with torch.no_grad():
            for batch in batches:
                network(batch.signals)

    times: dict[str, list[float]] = {"ours": [], "rival": []}
    for _ in range(3):
        times["ours"].append(spent(lambda: ask(Asked(network, {"kind": TASK}, None, False), trainer, batches)))
        times["rival"].append(spent(by_hand))
    ours, rival = (len(rows) / np.median(each) for each in times.values())
    yield Row("rows predicted, 3 vectors, gated, batches of 64", float(ours), float(rival), (">=", 0.9), "rows/s")


def compared() -> Iterator[Row]:
    """A thousand finished runs of one digit's pictures, each with a learning rate of its own."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "outputs"
        keys = ["modalities=[image]", "trainer.max_epochs=1", "bootstrap=20", "seeds=[0,1]", f"output_dir={outputs}"]
        mmfuse(["train", *keys, "--quiet"])
        (run,) = [path for path in outputs.iterdir() if not path.is_symlink()]
        (outputs / "latest").unlink()
        config = yaml.safe_load((run / "config.yaml").read_text())
        for number in range(1000):
            copy = outputs / f"run-{number}"
            shutil.copytree(run, copy, ignore=shutil.ignore_patterns("checkpoints", "logs", "predictions.parquet"))
            config["optimizer"]["lr"] = 1e-4 * (1 + number)
            (copy / "config.yaml").write_text(yaml.safe_dump(config))
        began = time.perf_counter()
        subprocess.run(
            [
                sys.executable,
                "-m",
                "mmfuse.cli",
                "compare",
                str(outputs),
                "--format",
                "csv",
                "-o",
                str(outputs / "x.csv"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield Row("a table over 1,001 runs, wall", time.perf_counter() - began, None, ("<", 10.0), "s")


PARTS = {"intervals": bootstrapped, "contributions": given, "predict": predictions, "compare": compared}

if __name__ == "__main__":
    main(PARTS, __doc__)
