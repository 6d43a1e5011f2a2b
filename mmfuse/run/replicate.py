"""One seed of one fold: trained, and asked about its validation and test rows. What was stopped is gone on with."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmfuse.atomic import write_json
from mmfuse.listener import Listener
from mmfuse.metrics.summary import Answers
from mmfuse.ranks import here
from mmfuse.record import answers, predictions, tasks
from mmfuse.record.facts import classes
from mmfuse.record.history import History
from mmfuse.record.status import Status
from mmfuse.run.build import learner
from mmfuse.run.judged import judged
from mmfuse.run.loader import loader, training_loader
from mmfuse.run.make import Config
from mmfuse.run.opened import Opened
from mmfuse.run.prepare import Prepared
from mmfuse.run.recording import Recording
from mmfuse.run.settings import averaging, patience
from mmfuse.run.stacked import out_of_fold, stacks, teach
from mmfuse.run.tracking import Track
from mmfuse.run.trainer import maker
from mmfuse.run.transfer import Figures, transferred
from mmfuse.types import Examples

if TYPE_CHECKING:
    from mmfuse.learner.learner import Learner

MOVED = "transfer.json"


class Replicated(NamedTuple):
    said: dict[str, Answers]  # of "val", "test" and views
    moved: Figures | None  # what strategy=cross_modal asks besides


class Given(NamedTuple):
    """Of a run that was trained beside others: its data, what was trained by seed, and what stands for training it."""

    opened: Opened
    learners: "Mapping[int, Learner]"
    fit: Callable[..., Any]  # as learner/fit.py has it


def replicated(place: Path) -> Replicated | None:
    """What was left by a replicate that ended; None of one that did not. Predictions are the last that it leaves."""
    if not (place / "predictions.parquet").exists():
        return None
    moved = json.loads((place / MOVED).read_text(encoding="utf-8")) if (place / MOVED).exists() else None
    return Replicated(answers.load(place / "answers.npz"), moved)


def replicate(
    cfg: Config,
    examples: Examples,
    prepared: Prepared,
    seed: int,
    place: Path,
    listener: Listener,
    status: Status,
    track: Track | None,
    given: Given | None = None,
) -> Replicated:
    """Trains one model, and asks the best of its epochs about the validation and test rows.

    Of several ranks that do so together, the first records it.
    """
    from mmfuse.learner.checkpoints import newest
    from mmfuse.learner.fit import fit, keep, predict

    place.mkdir(exist_ok=True)
    left = newest(place / "checkpoints")
    if left is not None and left.torn:
        listener.advised(f"{left.torn}", f"it is torn; training goes on from {left.path.name}, which is older")
    if here().first:
        states = {m: p.state() for m, p in prepared.preparations.items()}
        write_json(place / "preparation.json", states | {"classes": classes(prepared.tasks)})
        write_json(place / "tasks.json", tasks.state(prepared.tasks))
    history = History(place / "history.csv", 0 if left is None else left.epoch)
    trained = given.learners[seed] if given else learner(cfg, prepared, seed)
    schedule = trained.schedule
    stacked = stacks(trained.model)
    unseen = out_of_fold(cfg, examples, prepared, seed, place, listener, status) if stacked else {}
    trainer = (given.fit if given else fit)(
        trained,
        maker(cfg["trainer"]),
        training_loader(cfg, prepared, seed),
        loader(cfg, prepared, prepared.split.val, None),
        place / "checkpoints",
        patience(cfg, prepared.tasks, schedule),
        Recording(listener, history, status, track),
        averaging(cfg),
        cfg["checkpoint_minutes"],
        left,
    )
    if stacked:
        teach(trained.model, examples, prepared, unseen)
        keep(trained, place / "checkpoints")
    heard = None if schedule.tested is None else schedule.views[schedule.tested]
    asked = {"val": (prepared.split.val, heard), "test": (prepared.split.test, heard)}
    asked |= {f"views/{view}": (prepared.split.test, modalities) for view, modalities in schedule.views.items()}
    moved = transferred(cfg, prepared, trained, trainer, seed, place) if cfg["strategy"]["transfer"] else None
    found = {}
    for name, (rows, modalities) in asked.items():
        said = predict(trained, trainer, loader(cfg, prepared, rows, None), modalities)
        found[name] = judged(prepared.tasks, said, examples.groups)
    if track is None:  # not the first rank
        return Replicated(found, moved)
    if moved is not None:
        write_json(place / MOVED, moved)
    answers.save(place / "answers.npz", found)
    test = found["test"]
    for t, task in prepared.tasks.items() if track.logger is not None else ():
        track.send({f"test/{t}/{name}": v for name, v in task.score(test.answers[t], test.targets[t]).items()}, 0)
    recorded = {
        t: (test.rows[t], task.recorded(test.answers[t], test.targets[t])) for t, task in prepared.tasks.items()
    }
    predictions.save(place / "predictions.parquet", prepared.split.test, examples.ids, recorded)
    return Replicated(found, moved)
