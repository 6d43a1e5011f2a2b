"""What sweeps cost: plans, status, start-up in a warm slot, many short runs side by side, and what checkpoints cost.

`python scripts/bench_sweep.py [--runs 24] [--epochs 20] [PART ...]`, of plan, status, start, side_by_side, checkpoints.
The fourth runs the same runs one after the other, in processes of their own, and then as a sweep, on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmfuse.config.catalog import Catalog
from mmfuse.record.status import Status
from mmfuse.sweep import grammar, place
from mmfuse.sweep.composer import Composer
from mmfuse.sweep.plan import Run, combinations, plan

PARTS = ("plan", "status", "start", "side_by_side", "checkpoints")
SHORT = ["modalities=[text]", "threads=1", "bootstrap=1000", "trainer.accelerator=cpu"]
LARGE = ["fusion=tfn", "fusion.inner=46"]  # 53 MB of weights, and twice as much of the optimizer's
CLI = [sys.executable, "-m", "mmfuse.cli"]


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
        print(f"plan     {len(found.runs)} runs composed and checked in {took[-1][1]:.1f} s", flush=True)
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
        took = time.perf_counter() - began
    print(f"status   of 10,000 runs in {took:.2f} s, Python's start included", flush=True)
    return took


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
    print(f"start    of runs in one slot: {', '.join(f'{seconds:.2f}' for seconds in spent)} s", flush=True)
    return spent


def swept(outputs: Path, typed: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([*CLI, "sweep", *SHORT, *typed, f"output_dir={outputs}", "--quiet"], check=True)
    return time.perf_counter() - began


def side_by_side(runs: int, epochs: int) -> tuple[float, float]:
    """Seconds one after the other, and as a sweep."""
    rates = [f"{0.001 * (n + 1):.3f}" for n in range(runs)]
    common = [*SHORT, f"trainer.max_epochs={epochs}", "early_stopping.patience=1000"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for rate in rates:
            typed = [*common, f"optimizer.lr={rate}", f"output_dir={folder}/alone", "--quiet"]
            subprocess.run([*CLI, "train", *typed], check=True)
        alone = time.perf_counter() - began
        together = swept(Path(folder), [*common[len(SHORT) :], f"optimizer.lr={','.join(rates)}", "launcher.slots=2"])
    print(
        f"runs     {runs} of {epochs} epochs: one after the other {alone:.1f} s ({alone / runs:.1f} s each),"
        f" as a sweep {together:.1f} s: {alone / together:.2f} x, of {os.cpu_count()} cores",
        flush=True,
    )
    return alone, together


def checkpoints() -> None:
    """The share of training that saving takes: at the default settings, and of a model of 14 million weights."""
    import pytorch_lightning as L
    import torch

    from mmfuse.config.compose import compose
    from mmfuse.learner import fit as fits
    from mmfuse.run.train import run
    from mmfuse.types import Listener

    saves, trains = L.Trainer.save_checkpoint, fits.fit
    spent: dict[str, list[float]] = {"saving": [], "training": []}

    def timed(what: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def done(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return do(*given, **named)
            finally:
                spent[what].append(time.perf_counter() - began)

        return done

    vars(fits)["fit"] = timed("training", trains)
    vars(L)["Trainer"].save_checkpoint = timed("saving", saves)
    for name, typed in (("the default", []), ("a large model", LARGE)):
        spent["saving"], spent["training"] = [], []
        with tempfile.TemporaryDirectory() as folder:
            cfg = compose([*typed, "threads=1", "trainer.accelerator=cpu", f"output_dir={folder}"], Catalog())
            (Path(folder) / "run").mkdir()
            run(cfg, Path(folder) / "run", Listener())
            (best,) = Path(folder).glob("run/seed-0/checkpoints/best.ckpt")
            weights = sum(t.numel() for t in torch.load(best, weights_only=True)["state_dict"].values())
            megabytes = (best.with_name("last.ckpt")).stat().st_size / 1e6
        print(
            f"checkpoints of {name}, {weights / 1e6:.1f} million weights: {len(spent['saving'])} of up to"
            f" {megabytes:.0f} MB took {sum(spent['saving']):.2f} s of {sum(spent['training']):.1f} s of training,"
            f" {sum(spent['saving']) / sum(spent['training']):.2%}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []])
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    does = {
        "plan": plans,
        "status": status,
        "start": start,
        "side_by_side": lambda: side_by_side(options.runs, options.epochs),
        "checkpoints": checkpoints,
    }
    for part in options.parts or does:
        does[part]()


if __name__ == "__main__":
    main()
