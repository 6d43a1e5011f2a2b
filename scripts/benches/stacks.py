"""Eight runs of the default on cached features: as one stack, against one after the other in a warm slot. Wall time.

The features are what the default's encoders say of the digits before they have learned anything, in a file of vectors.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benches.row import Row
from mmfuse.config.catalog import Catalog
from mmfuse.config.compose import compose
from mmfuse.data.batches import Batches
from mmfuse.run.build import build
from mmfuse.run.prepare import divide, load, prepare

CLI = [sys.executable, "-m", "mmfuse.cli"]


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        typed = [*features(Path(name)), "seed=0,1,2,3", "optimizer.lr=0.001,0.002", "launcher.slots=1"]
        typed += ["threads=1", "trainer.accelerator=cpu", f"output_dir={name}/runs"]
        alone, together = timed(typed), timed([*typed, "sweep.stack=8"])
    yield Row(
        "8 runs on cached features, stacked against one by one", 480 / together, 480 / alone, (">=", 3.0), "runs/min"
    )


def features(folder: Path) -> list[str]:
    """The digits as the default's encoders, as they are at first, say them: what is typed to train on that."""
    cfg = compose([], Catalog())
    examples = load(cfg)
    prepared = prepare(cfg, examples, divide(cfg, examples)[0][1])
    with torch.no_grad():
        batch = Batches(prepared.columns, prepared.targets)[np.arange(len(examples))]
        said = build(cfg, prepared, 0).eval().encode(batch.signals)
    vectors = {m: torch.where(s.present[:, None], s.pooled(), torch.nan).numpy() for m, s in said.items()}
    np.savez(folder / "features.npz", **vectors)
    rows = "".join(f"{row},{digit}\n" for row, digit in enumerate(examples.targets["digit"]))
    (folder / "samples.csv").write_text(f"row,label\n{rows}")
    about = ",".join(f"{m}:{{kind:vector,file:features.npz,key:{m}}}" for m in vectors)
    typed = ["dataset=table", f"dataset.root={folder}", "dataset.file=samples.csv", "dataset.id=row"]
    typed += [f"dataset.modalities={{{about}}}", "dataset.tasks={digit:{kind:multiclass,column:label}}"]
    return [*typed, *(f"encoder.{m}=identity" for m in vectors)]


def timed(typed: list[str]) -> float:
    """Seconds from the first run's word, when torch has been imported, to the end of the last."""
    with subprocess.Popen([*CLI, "sweep", *typed, "--json"], stdout=subprocess.PIPE, text=True) as sweep:
        began, ended = 0.0, 0.0
        for line in sweep.stdout or ():
            event = json.loads(line)
            if event["event"] == "started" and not began:
                status = Path(event["folder"]) / "status.json"
                while json.loads(status.read_text())["pid"] == sweep.pid:
                    time.sleep(0.002)
                began = time.perf_counter()
            elif event["event"] == "ended":
                ended = time.perf_counter()
    return ended - began
