"""Kills runs at random moments and goes on with them, until they are done: do they end as one that was left alone?

    python scripts/kills.py --times 20 fusion=concat trainer.max_epochs=6

Each kill is a SIGKILL to the run's whole group of processes, or with `--signal TERM` a polite one, some time after the
run has begun to train. It prints where each fell, and fails if metrics.json differs by a bit, if a file is half
written, or if a process is left.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def command(*typed: str) -> list[str]:
    return [sys.executable, "-m", "mmfuse.cli", *typed]


def whole(typed: list[str], outputs: Path) -> tuple[str, float]:
    """The metrics of a run that is left alone, as they are written, and how long it trained."""
    subprocess.run(command("train", *typed, f"output_dir={outputs}", "name=whole", "--quiet"), check=True)
    (folder,) = outputs.glob("whole-*")
    status = json.loads((folder / "manifest.json").read_text())
    began, ended = (time.mktime(time.strptime(status[k][:19], "%Y-%m-%dT%H:%M:%S")) for k in ("created", "finished"))
    return (folder / "metrics.json").read_text(), max(2.0, ended - began)


def state(outputs: Path) -> str | None:
    return status(outputs).get("state")


def status(outputs: Path) -> dict[str, Any]:
    for path in outputs.glob("killed-*/status.json"):
        return dict(json.loads(path.read_text()))
    return {}


def killed(typed: list[str], outputs: Path, kind: signal.Signals, after: float) -> bool:
    """Whether the kill came before the end; `after` counts from where the process has made the run its own."""
    before = status(outputs).get("pid")
    process = subprocess.Popen(command(*typed, "--quiet"), start_new_session=True, stderr=subprocess.DEVNULL)
    while status(outputs).get("pid") == before and process.poll() is None:
        time.sleep(0.05)
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, kind)
        process.wait()
        return True
    return False


def torn(outputs: Path) -> list[str]:
    """Files that were being written: JSON that does not parse, what lies beside its place."""
    found = [str(path) for path in outputs.rglob("*.json") if not parses(path)]
    return found + [str(path) for path in outputs.rglob("*.csv") if not path.read_text().endswith("\n")]


def parses(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--signal", choices=("KILL", "TERM", "INT", "USR1"), default="KILL")
    parser.add_argument("--seed", type=int, default=0)
    options, typed = parser.parse_known_args()
    kind, dice, kills, runs = signal.Signals[f"SIG{options.signal}"], random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder)
        expected, seconds = whole(typed, outputs)
        print(f"left alone: {seconds:.0f} s from its manifest to its end", flush=True)
        while kills < options.times:
            runs += 1
            begin = ["train", *typed, f"output_dir={outputs}", "name=killed"]
            while state(outputs) != "done":
                after = dice.uniform(0, seconds / 2)  # so that a run is killed more than once
                (run,) = outputs.glob("killed-*") if state(outputs) else (None,)
                again = ["train", "--resume", str(run)] if run else begin
                if kills < options.times and killed(again, outputs, kind, after):
                    kills += 1
                    (run,) = outputs.glob("killed-*")
                    epochs = [len(h.read_text().splitlines()) - 1 for h in sorted(run.glob("seed-*/history.csv"))]
                    print(f"kill {kills}: {after:.1f} s into it, epochs {epochs}, torn files {torn(run)}", flush=True)
                    if torn(run):
                        return 1
                elif state(outputs) != "done":
                    subprocess.run(command("train", "--resume", str(run), "--quiet"), check=True)
            (run,) = outputs.glob("killed-*")
            same = (run / "metrics.json").read_text() == expected
            print(f"run {runs} ended {'as the one that was left alone' if same else 'OTHERWISE'}", flush=True)
            if not same:
                return 1
            run.rename(outputs / f"done-{runs}")
    left = subprocess.run(["pgrep", "-f", str(outputs)], capture_output=True, text=True).stdout.split()
    print(f"{kills} kills, {runs} runs, processes left: {left or 'none'}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
