"""What sweeps cost: plans, status, start-up in a warm slot, and short runs side by side on two cores. Wall time.

The last one is against the same runs one after the other, each in a process of its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benches.row import Row
from mmfuse.config.catalog import Catalog
from mmfuse.record.status import Status
from mmfuse.sweep import grammar, place
from mmfuse.sweep.composer import Composer
from mmfuse.sweep.plan import Run, combinations, plan

SHORT = ["modalities=[text]", "threads=1", "bootstrap=1000", "trainer.accelerator=cpu"]
FEW = 3  # runs that are run one by one: each takes as long as the others
CLI = [sys.executable, "-m", "mmfuse.cli"]


def rows(runs: int = 12, epochs: int = 20) -> Iterator[Row]:
    for count, seconds in plans():
        yield Row(f"{count:,} runs composed and checked", seconds, None, ("<", 60.0), "s")
    yield Row("status of 10,000 runs, Python's start included", status(), None, ("<", 2.0), "s")
    first, *rest = start()
    yield Row("a run's start in a warm slot, the slowest but the first", max(rest), None, ("<", 0.3), "s")
    yield Row("  the first", first, None, None, "s")
    alone, together = side_by_side(runs, epochs)
    rates = (60 * runs / together, 60 * runs / alone)
    yield Row(f"{runs} runs of {epochs} epochs, as a sweep, against one by one", *rates, (">=", 1.8), "runs/min")


def plans() -> list[tuple[int, float]]:
    """How many runs, and the seconds that they took."""
    catalog, took = Catalog(), []
    for typed in (
        "fusion=concat,gated,sum,attention,mean balance=plain,pcgrad,mgda,gradnorm,cagrad"
        " optimizer.lr=range(0.001,0.201,0.001) fusion.dim=32,64",
        "optimizer.lr=range(0.0001,1,0.0001)",
    ):
        began = time.perf_counter()
        read = grammar.read(typed.split(), catalog)
        found = plan(combinations(read.axes, "grid", None, 0), read.fixed, Composer(catalog), False)
        took.append((len(found.runs), time.perf_counter() - began))
    return took


def status() -> float:
    with tempfile.TemporaryDirectory() as folder:
        runs = [Run(f"run-{n}", (f"seed={n}",), {"seed": str(n)}, f"{n}") for n in range(10_000)]
        place.save(Path(folder), {"overrides": []}, runs)
        for n, run in enumerate(runs):
            (Path(folder) / run.folder).mkdir()
            Status(Path(folder) / run.folder).say("done" if n % 5 else "preempted")
        began = time.perf_counter()
        subprocess.run([*CLI, "status", folder], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def start() -> list[float]:
    """From a run's being given to its slot to its worker's first word, which comes before it reads the data."""
    with tempfile.TemporaryDirectory() as folder:
        typed = [*SHORT, "optimizer.lr=range(0.001,0.007,0.001)", "trainer.max_epochs=1", "launcher.slots=1"]
        command = [*CLI, "sweep", *typed, f"output_dir={folder}", "--json"]
        spent = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweep:
            for line in sweep.stdout or ():
                event, began = json.loads(line), time.time()
                if event["event"] != "started":
                    continue
                status = Path(event["folder"]) / "status.json"
                while json.loads(status.read_text())["pid"] == sweep.pid:  # which made the folder
                    time.sleep(0.002)
                spent.append(time.time() - began)
    return spent


def swept(outputs: Path, typed: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([*CLI, "sweep", *SHORT, *typed, f"output_dir={outputs}", "--quiet"], check=True)
    return time.perf_counter() - began


def side_by_side(runs: int, epochs: int) -> tuple[float, float]:
    """Seconds one after the other, told by the first FEW, and as a sweep."""
    rates = [f"{0.001 * (n + 1):.3f}" for n in range(runs)]
    common = [*SHORT, f"trainer.max_epochs={epochs}", "early_stopping.patience=1000"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for rate in rates[:FEW]:
            typed = [*common, f"optimizer.lr={rate}", f"output_dir={folder}/alone", "--quiet"]
            subprocess.run([*CLI, "train", *typed], check=True)
        alone = (time.perf_counter() - began) * runs / FEW
        together = swept(Path(folder), [*common[len(SHORT) :], f"optimizer.lr={','.join(rates)}", "launcher.slots=2"])
    return alone, together
