"""Kills runs at random moments and goes on with them, until they are done: do they end as one that was left alone?

    python scripts/kills.py --times 20 fusion=concat trainer.max_epochs=6
    python scripts/kills.py --times 20 trainer.devices=2 trainer.accelerator=cpu trainer.max_epochs=6
    python scripts/kills.py --times 20 --sweep fusion=concat,gated seed=0,1 trainer.max_epochs=6 launcher.slots=2

Each kill is a SIGKILL to the run's whole group of processes, or with `--signal TERM` a polite one, some time after the
run has begun to train. Of a sweep it is to the sweep's own process, which is then gone on with at once, or to one of
its runs, which the sweep tries again. It prints where each fell, and fails if a metrics.json differs by a bit, if a
file is half written, or if a process is left.
"""

import argparse
import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

MARK = f"MMFUSE_KILLS={secrets.token_hex(8)}"  # in the environment of all that is started here
PATIENCE = 30.0  # seconds that processes are given to be gone


class Experiment:
    """A run, or a sweep of several, that is begun, killed and gone on with in a folder of its own."""

    def __init__(self, typed: Sequence[str], sweep: bool, outputs: Path):
        self.typed, self.sweep, self.outputs = list(typed), sweep, outputs
        self.name = "sweep" if sweep else "train"

    @property
    def folder(self) -> Path | None:
        return next(iter(self.outputs.glob("killed-*")), None)

    @property
    def statuses(self) -> list[dict[str, object]]:
        """Of its runs, as far as they have any."""
        files = self.outputs.glob("killed-*/*/status.json" if self.sweep else "killed-*/status.json")
        return [json.loads(file.read_text()) for file in files if not file.parent.is_symlink()]

    @property
    def training(self) -> list[int]:
        """Processes of runs that say that they train; one that was killed says so still."""
        pids = [int(str(about["pid"])) for about in self.statuses if about["state"] == "running"]
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    def command(self) -> list[str]:
        place = self.folder
        whole = place is not None and (place / ("sweep.json" if self.sweep else "status.json")).exists()
        words = ["--resume", str(place)] if whole else [*self.typed, f"output_dir={self.outputs}", "name=killed"]
        more = ["--retries", "1000"] if self.sweep else []
        return [sys.executable, "-m", "mmfuse.cli", self.name, *words, *more, "--quiet"]

    def started(self) -> "subprocess.Popen[bytes]":
        name, _, value = MARK.partition("=")
        return subprocess.Popen(
            self.command(), start_new_session=True, stderr=subprocess.DEVNULL, env=os.environ | {name: value}
        )

    def figures(self) -> dict[str, str]:
        """By run, its metrics as they are written."""
        found = self.outputs.glob("killed-*/*/metrics.json" if self.sweep else "killed-*/metrics.json")
        return {
            file.parent.name if self.sweep else "": file.read_text() for file in found if not file.parent.is_symlink()
        }

    def put_aside(self, name: str) -> None:
        assert self.folder is not None
        self.folder.rename(self.outputs / name)


def trains(process: "subprocess.Popen[bytes]", experiment: Experiment) -> None:
    """Waits until it does, or has ended."""
    while process.poll() is None and not experiment.training:
        time.sleep(0.05)


def disturbed(experiment: Experiment, times: int, kind: signal.Signals, longest: float, dice: random.Random) -> int:
    """Kills it as often as it lasts, at most so many times, and sees it to its end. How often it was killed."""
    kills, process = 0, experiment.started()
    try:
        while True:
            trains(process, experiment)
            try:
                process.wait(timeout=dice.uniform(0, longest) if kills < times else None)
            except subprocess.TimeoutExpired:
                pass
            else:
                if process.returncode == 0:
                    return kills
                process = experiment.started()
                continue
            if runs := experiment.training if experiment.sweep and dice.random() < 0.5 else []:
                victim = "a run"
                os.kill(dice.choice(runs), kind)
            else:
                victim = f"the {experiment.name}"
                (os.kill if experiment.sweep else os.killpg)(process.pid, kind)
                process.wait()
            kills += 1
            assert experiment.folder is not None
            epochs = [len(h.read_text().splitlines()) - 1 for h in sorted(experiment.folder.rglob("history.csv"))]
            print(f"kill {kills}: {victim}, epochs {epochs}, torn files {torn(experiment.folder)}", flush=True)
            if torn(experiment.folder):
                raise SystemExit(1)
            if process.poll() is not None:
                process = experiment.started()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def torn(folder: Path) -> list[str]:
    """Files that are not whole, under the names that they have when they are."""
    found = [str(path) for path in folder.rglob("*.json") if not parses(path)]
    return found + [str(path) for path in folder.rglob("*.csv") if not path.read_text().endswith("\n")]


def parses(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def beside(folder: Path) -> list[str]:
    """What was being written when a process died, and was not cleared away by the next."""
    return [str(path) for path in folder.rglob(".*") if re.fullmatch(r"\..+\.\d+", path.name)]


def left() -> list[int]:
    """Processes that were started here and are there still."""
    until = time.monotonic() + PATIENCE
    while (found := marked()) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def marked() -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if MARK.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:  # it has gone, or is another's
            continue
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--signal", choices=("KILL", "TERM", "INT", "USR1"), default="KILL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sweep", action="store_true", help="of many runs: mmfuse sweep")
    options, typed = parser.parse_known_args()
    kind, dice, kills, rounds = signal.Signals[f"SIG{options.signal}"], random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(typed, options.sweep, Path(folder))
        process = experiment.started()
        trains(process, experiment)
        began = time.monotonic()
        if code := process.wait():
            print(f"left alone, it ends with {code}")
            return 1
        longest = max(2.0, (time.monotonic() - began) / 2)
        expected = experiment.figures()
        print(f"left alone: it trains for {2 * longest:.0f} s, {len(expected)} metrics.json", flush=True)
        experiment.put_aside("whole")
        while kills < options.times:
            rounds += 1
            kills += disturbed(experiment, options.times - kills, kind, longest, dice)
            same = experiment.figures() == expected and bool(expected)
            print(f"round {rounds} ended {'as the one that was left alone' if same else 'OTHERWISE'}", flush=True)
            assert experiment.folder is not None
            if not same or beside(experiment.folder):
                print(f"half written: {beside(experiment.folder)}")
                return 1
            experiment.put_aside(f"done-{rounds}")
        processes = left()
    print(f"{kills} kills, {rounds} rounds, processes left: {processes or 'none'}")
    return 1 if processes else 0


if __name__ == "__main__":
    sys.exit(main())
