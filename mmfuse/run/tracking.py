"""What a tracker hears of a run: settings, the figures of history.csv, at the end those of the test rows."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from mmfuse.run.make import Config, make
from mmfuse.trackers.tracker import Tracker

ASIDE = ("epoch", "step", "seconds")  # which tell of time, and are no figures


class Track:
    """One of a tracker's runs; without a logger, nothing."""

    def __init__(self, logger: Any, settings: Mapping[str, Any]):
        self.logger = logger
        if logger is not None:
            logger.log_hyperparams(dict(settings))

    def epoch(self, figures: Mapping[str, float | int]) -> None:
        if self.logger is not None:
            self.send({n: v for n, v in figures.items() if n not in ASIDE}, int(figures["epoch"]))

    def send(self, figures: Mapping[str, Any], step: int | None = None) -> None:
        """Numbers; those that are not finite are left out."""
        numbers = {n: float(v) for n, v in figures.items() if isinstance(v, int | float) and isfinite(v)}
        if self.logger is not None and numbers:
            self.logger.log_metrics(numbers, step)

    def end(self, status: str) -> None:
        if self.logger is not None:
            self.logger.save()
            self.logger.finalize(status)


class Tracking:
    """All of a tracker's runs of one run. Nothing is opened before the first seed begins to train."""

    def __init__(self, tracker: Tracker, cfg: Config, folder: Path):
        self.tracker, self.folder, self.outputs = tracker, folder, Path(cfg["output_dir"])
        self.settings = flat(cfg)
        self.whole: Track | None = None

    @contextmanager
    def replicate(self, name: str, seed: int) -> Iterator[Track]:
        if self.whole is None:
            self.whole = self.track(None, self.settings)
        track = self.track(name, self.settings | {"seed": seed})
        with ended(track):
            yield track

    def track(self, name: str | None, settings: Mapping[str, Any]) -> Track:
        return Track(self.tracker.open(name, self.folder, self.outputs), settings)

    def scored(self, metrics: Mapping[str, Any]) -> None:
        """As metrics.json has them: test/<task>/<figure>, .../std, and verdict/<task>/<rival>/difference, .../p."""
        if self.whole is None:  # all seeds had been trained when the run was stopped
            self.whole = self.track(None, self.settings)
        if self.whole.logger is not None:
            self.whole.send(of_the_whole(metrics), 0)
            self.whole.logger.log_hyperparams({f"verdict.{t}": v["verdict"] for t, v in verdicts(metrics).items()})


@contextmanager
def tracking(cfg: Config, folder: Path) -> Iterator[Tracking]:
    tracks = Tracking(tracker(cfg), cfg, folder)
    try:
        yield tracks
    except BaseException:
        if tracks.whole is not None:
            tracks.whole.end("failed")
        raise
    if tracks.whole is not None:
        tracks.whole.end("success")


@contextmanager
def ended(track: Track) -> Iterator[None]:
    try:
        yield
    except BaseException:
        track.end("failed")
        raise
    track.end("success")


def tracker(cfg: Config) -> Tracker:
    made: Tracker = make(cfg.get("logger") or {"_target_": "mmfuse.trackers.none.Untracked"}, "logger")
    return made


def of_the_whole(metrics: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for task, figures in metrics["test"].items():
        for name, figure in figures.items():
            if "mean" in figure:
                found[f"test/{task}/{name}"] = figure["mean"]
                found[f"test/{task}/{name}/std"] = figure["std"]
    for task, verdict in verdicts(metrics).items():
        for rival, against in verdict["against"].items():
            found |= {f"verdict/{task}/{rival}/{name}": against[name] for name in ("difference", "p")}
    return found


def verdicts(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {t: each for t, each in metrics.get("verdict", {}).items() if "against" in each}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """
    >>> flat({"optimizer": {"lr": 0.1}, "seeds": [0, 1], "name": None})
    {'optimizer.lr': 0.1, 'seeds': '[0, 1]', 'name': 'null'}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            plain = isinstance(value, str | int | float | bool)
            found[f"{prefix}{name}"] = value if plain else json.dumps(value, ensure_ascii=False)
    return found
