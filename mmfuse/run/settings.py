"""Settings that cannot be, told before anything is on disk."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfuse.errors import ConfigError, offer
from mmfuse.listener import Listener
from mmfuse.metrics.direction import mode
from mmfuse.ranks import here
from mmfuse.record import log
from mmfuse.run.build import Learning, learner_of, parts
from mmfuse.run.loader import training_loader
from mmfuse.run.make import Config
from mmfuse.run.prepare import Prepared
from mmfuse.run.trainer import maker
from mmfuse.tasks.figures import monitors
from mmfuse.types import Examples, Fusion, Schedule, Task

if TYPE_CHECKING:
    from mmfuse.learner.averaging import Averaging
    from mmfuse.learner.fit import Patience
    from mmfuse.learner.learner import Learner


def rehearse(cfg: Config, examples: Examples, prepared: Prepared, folder: Path) -> "Learner":
    """Builds what training will need, so that settings that cannot be are told before anything is on disk."""
    from mmfuse.learner.fit import build as build_trainer

    learning = parts(cfg, prepared, cfg["seeds"][0])
    with tempfile.TemporaryDirectory() as aside, log.to_file(Path(aside) / "warnings.log"):
        build_trainer(
            maker(cfg["trainer"]),
            folder,
            patience(cfg, prepared.tasks, learning.schedule),
            Listener(),
            averaging(cfg),
        )
    first = learner_of(cfg, prepared, learning, cfg["seeds"][0])
    first.configure_optimizers()
    training_loader(cfg, prepared, 0)
    check_settings(cfg, examples, prepared, learning)
    check_memory(learning)
    return first


def check_memory(learning: Learning) -> None:
    if here().ranks > 1 and any(isinstance(part, Fusion) and part.remembers for part in learning.model.modules()):
        raise ConfigError(
            "the fusion remembers what each row cost, and each device sees other rows"
            "\n  to go on: trainer.devices=1, or another fusion"
        )


def check_settings(cfg: Config, examples: Examples, prepared: Prepared, learning: Learning) -> None:
    """What can be told without a trainer: the figure that is watched."""
    known = monitors(prepared.tasks, examples.targets, learning.schedule.views, learning.losses)
    wanted = monitor(cfg, prepared.tasks, learning.schedule)
    if wanted not in known:
        short = [name for name in known if name.count("/") == 1]
        said = f"early_stopping.monitor={wanted}: there is no such figure"
        raise ConfigError(f"{said}\n  {offer(wanted, short, 'there are')}")
    check_weights(cfg)
    for modality, about in cfg["encoder"].items():
        wakes, epochs = about.get("unfreeze_at"), cfg["trainer"].get("max_epochs")
        if isinstance(wakes, int) and isinstance(epochs, int) and 0 < epochs <= wakes:
            raise ConfigError(
                f"encoder.{modality}.unfreeze_at={wakes}: epochs count from 0, and trainer.max_epochs={epochs}\n"
                f"  to go on: a larger trainer.max_epochs, or encoder.{modality}.unfreeze_at=null, to never wake it"
            )


def check_weights(cfg: Config) -> None:
    """What is asked of weights as a whole: penalties, averages."""
    strategy, epochs, start = (
        cfg["trainer"].get("strategy"),
        cfg["trainer"].get("max_epochs"),
        cfg["averaging"]["start"],
    )
    averages = cfg["averaging"]["kind"] != "none"
    sharded = any(name in str(strategy) for name in ("fsdp", "deepspeed"))
    if sharded and (averages or any(cfg["penalty"].values())):
        raise ConfigError(
            f"{'averaging' if averages else 'penalty'} needs whole weights, and trainer.strategy={strategy} shards them"
            "\n  to go on: trainer.strategy=ddp, or averaging.kind=none penalty.l1=0 penalty.l2=0"
        )
    if averages and isinstance(epochs, int) and 0 < epochs <= start:
        raise ConfigError(
            f"averaging.start={start}: epochs count from 0, and trainer.max_epochs={epochs}"
            "\n  to go on: a larger trainer.max_epochs, or averaging.start=0"
        )


def averaging(cfg: Config) -> "Averaging":
    from mmfuse.learner.averaging import Averaging

    return Averaging(**cfg["averaging"])


def advise(cfg: Config, objectives: Iterable[tuple[str, Any]], listener: Listener) -> None:
    for name, objective in objectives:
        if said := objective.advice(cfg["batch_size"]):
            listener.advised(f"objectives.{name}", said)


def monitor(cfg: Config, tasks: Mapping[str, Task], schedule: Schedule) -> str:
    named = cfg["early_stopping"]["monitor"]
    start = "val" if schedule.watched is None else f"val@{schedule.watched}"
    if named != "auto":
        return named
    return f"{start}/skill" if len(tasks) > 1 else f"{start}/{tasks[cfg['tasks'][0]].monitor}"


def watched(cfg: Config, tasks: Mapping[str, Task], schedule: Schedule) -> dict[str, Any]:
    """What the manifest says of the figure by which the best epoch is told."""
    about = patience(cfg, tasks, schedule)
    return {"figure": about.monitor, "mode": about.mode, "settles": about.settles}


def patience(cfg: Config, tasks: Mapping[str, Task], schedule: Schedule) -> "Patience":
    from mmfuse.learner.fit import Patience

    early = cfg["early_stopping"]
    figure = monitor(cfg, tasks, schedule)
    return Patience(figure, mode(figure), early["patience"], early["min_delta"], schedule.settles)
