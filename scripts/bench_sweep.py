"""What sweeps cost: plans, status, start-up in a warm slot, and many short runs side by side.

`python scripts/bench_sweep.py [--runs 24] [--epochs 20] [PART ...]`, of plan, status, start, side_by_side, stack.
side_by_side runs the same runs one after the other, in processes of their own, and then as a sweep, on two cores. stack
runs eight runs of the default on features of its encoders, which are vectors in a file: one after the other in one warm
slot, then as one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmfuse.config.catalog import Catalog
from mmfuse.record.status import Status
from mmfuse.sweep import grammar, place
from mmfuse.sweep.composer import Composer
from mmfuse.sweep.plan import Run, combinations, plan

SHORT = ["modalities=[text]", "threads=1", "bootstrap=1000", "trainer.accelerator=cpu"]
PARTS = ("plan", "status", "start", "side_by_side", "stack")
CLI = [sys.executable, "-m", "mmfuse.cli"]


def plans() -> None:
    catalog = Catalog()
    for typed in (
        "fusion=concat,gated,sum,attention,mean balance=plain,pcgrad,mgda,gradnorm,cagrad"
        " optimizer.lr=range(0.001,0.201,0.001) fusion.dim=32,64",
        "optimizer.lr=range(0.0001,1,0.0001)",
    ):
        began = time.perf_counter()
        read = grammar.read(typed.split(), catalog)
        found = plan(combinations(read.axes, "grid", None, 0), read.fixed, Composer(catalog), False)
        print(
            f"plan     {len(found.runs)} runs composed and checked in {time.perf_counter() - began:.1f} s", flush=True
        )


def status() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = [Run(f"run-{n}", (f"seed={n}",), {"seed": str(n)}, f"{n}") for n in range(10_000)]
        place.save(Path(folder), {"overrides": []}, runs)
        for n, run in enumerate(runs):
            (Path(folder) / run.folder).mkdir()
            Status(Path(folder) / run.folder).say("done" if n % 5 else "preempted")
        began = time.perf_counter()
        subprocess.run([*CLI, "status", folder], check=True, stdout=subprocess.DEVNULL)
        print(f"status   of 10,000 runs in {time.perf_counter() - began:.2f} s, Python's start included", flush=True)


def start() -> None:
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


def swept(outputs: Path, typed: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([*CLI, "sweep", *SHORT, *typed, f"output_dir={outputs}", "--quiet"], check=True)
    return time.perf_counter() - began


def side_by_side(runs: int, epochs: int) -> None:
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


def features(folder: Path) -> list[str]:
    """The digits as the default's encoders, as they are at first, say them: what is typed to train on that."""
    import numpy as np
    import torch

    from mmfuse.config.compose import compose
    from mmfuse.data.batches import Batches
    from mmfuse.run.build import build
    from mmfuse.run.prepare import divide, load, prepare

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


def stack() -> None:
    with tempfile.TemporaryDirectory() as name:
        typed = [*features(Path(name)), "seed=0,1,2,3", "optimizer.lr=0.001,0.002", "launcher.slots=1"]
        typed += ["threads=1", "trainer.accelerator=cpu", f"output_dir={name}/runs"]
        alone, together = timed(typed), timed([*typed, "sweep.stack=8"])
    print(
        f"stack    8 runs of the default on cached features: one after the other {480 / alone:.1f} a minute,"
        f" as one {480 / together:.1f}: {alone / together:.2f} x",
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
        "stack": stack,
    }
    for part in options.parts or does:
        does[part]()


if __name__ == "__main__":
    main()
