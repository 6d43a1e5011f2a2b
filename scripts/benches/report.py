"""`mmfuse report` of three seeds on 2,000 test rows, its analysis included, and once more. Wall time, imports and all.

A third of it is imports; the rest is the analysis (contributions, noise, cost), the page and its charts. What the
analysis found is kept beside the run, and is read the second time.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benches.held import TASK
from benches.row import Row

ROWS, SIZE = 10_000, 16


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder / "rows.csv")
        run("train", *about(folder), "seeds=[0,1,2]", "trainer.max_epochs=2", f"output_dir={folder / 'out'}", "--quiet")
        found = str((folder / "out" / "latest").resolve())
        for what in ("a report of three seeds, 2,000 test rows", "  the same again"):
            began = time.perf_counter()
            run("report", found)
            goal = ("<", 20.0) if what.startswith("a ") else None
            yield Row(what, time.perf_counter() - began, None, goal, "s")


def about(folder: Path) -> list[str]:
    split = "dataset.split.ratios=[0.6,0.2,0.2]"
    modalities = "dataset.modalities={first: {kind: vector}, second: {kind: vector}}"
    return ["dataset=table", f"dataset.file={folder / 'rows.csv'}", modalities, TASK, split]


def written(file: Path) -> None:
    """Two vectors that each tell half of what the label is."""
    random = np.random.default_rng(0)
    label = random.integers(0, 4, ROWS)
    first = random.normal(size=(ROWS, SIZE)) + 2 * (label % 2)[:, None]
    second = random.normal(size=(ROWS, SIZE)) + 2 * (label // 2)[:, None]
    rows = zip(first.round(3).tolist(), second.round(3).tolist(), label.tolist(), strict=True)
    with open(file, "w") as out:
        out.write("first,second,label\n")
        out.writelines(f'"{json.dumps(a)}","{json.dumps(b)}",c{k}\n' for a, b, k in rows)


def run(*typed: str) -> None:
    subprocess.run([sys.executable, "-m", "mmfuse.cli", *typed], check=True, stdout=subprocess.DEVNULL)
