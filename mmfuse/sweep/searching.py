"""A sweep's settings, made into a search."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfuse.errors import ConfigError
from mmfuse.record import folder as folders
from mmfuse.sweep import place, study
from mmfuse.sweep.grammar import Typed
from mmfuse.sweep.metric import direction, refuse_unless_validation
from mmfuse.sweep.plan import Run, planned
from mmfuse.sweep.search import Search
from mmfuse.sweep.suggested import Compose, Suggested, corners

PRIVATE = ("output_dir", "name")  # what those who share a study need not have alike


def is_searched(settings: Mapping[str, Any]) -> bool:
    """Whether runs are chosen, or ended, by what came of others; of many workers the draws are shared, too."""
    ended, shared = settings["pruner"] != "none", settings["storage"] != study.JOURNAL
    if settings["search"] == "grid" and (ended or shared):
        key = "pruner" if ended else "storage"
        raise ConfigError(
            f"sweep.{key}={settings[key]}: a grid is a plan that leaves nothing out"
            "\n  to go on: sweep.search=tpe sweep.trials=20, or random"
        )
    return settings["search"] == "tpe" or ended or shared


def refuse_unless_possible(settings: Mapping[str, Any]) -> None:
    """Before there is a folder."""
    refuse_unless_validation(settings["metric"])
    study.refuse_unless_possible(rules(settings, None))


def examples(read: Typed, compose: Compose) -> list[Run]:
    """Each value of each axis and both ends of an interval, each found good before anything starts."""
    return [planned(differs, read.fixed, compose) for differs in corners(read.axes)]


def suggested(
    folder: Path, read: Typed, settings: Mapping[str, Any], compose: Compose, example: Run, experiment: str | None
) -> Callable[[], Suggested]:
    """To be called by who holds the sweep's folder. It joins the study that is called as the sweep is.

    That is `name`, where the storage is shared, and a sweep without a name shares it with nobody.
    """
    config, metric = compose(example.overrides), settings["metric"]
    name = config["name"] if config["name"] and settings["storage"] != study.JOURNAL else folder.name
    alike = sorted(text for text in read.fixed if text.lstrip("+").partition("=")[0] not in PRIVATE)
    axes = "; ".join(" ".join(map(str, axis.state().values())) for axis in read.axes)
    about = {"experiment": experiment or "", "settings": " ".join(alike), "axes": axes, "metric": metric}
    asked = rules(settings, config["trainer"].get("max_epochs"))

    def opened() -> Suggested:
        try:
            joined = study.opened(name, settings["storage"], folder, asked, direction(metric, config), about)
        except ConfigError:
            if not place.load(folder)[1]:
                folders.discard(folder)
            raise
        search = Search(joined, read.axes, asked, metric, folder, sole=True)
        return Suggested(search, read.fixed, compose, folder, settings["parallel"], known)

    def known(run: Run) -> None:
        before, runs = place.load(folder)
        if run.folder not in {each.folder for each in runs}:
            place.save(folder, before, [*runs, run])

    return opened


def rules(settings: Mapping[str, Any], epochs: Any) -> study.Rules:
    limit = epochs if isinstance(epochs, int) and epochs > 0 else None
    asked = {key: settings[key] for key in ("trials", "pruner", "seed", "startup", "warmup")}
    return study.Rules(**asked, sampler=settings["search"], epochs=limit)


def shown(read: Typed, settings: Mapping[str, Any]) -> Sequence[str]:
    """For --dry-run: of runs that nobody knows yet, what they are chosen from."""
    found = [f"{settings['trials']} runs by sweep.search={settings['search']}, chosen as others end, from"]
    for axis in read.axes:
        about = axis.state()
        words = about.get("values") or [*map(str, about["interval"]), *about["tags"]]
        found.append(f"  {axis.key}: {', '.join(words)}")
    return found
