"""A search: what to try next goes by how well other runs did (Optuna), and those that do badly can be given up early.

All that a search knows is in its study, so that a process that dies loses nothing, and any number of processes and
machines can work at one. A trial is a run, with all its seeds and folds. It ends complete; pruned; or, if its training
failed, pruned with the reason, for then the sampler takes it for worse than any that did not fail.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmfuse.atomic import write_json
from mmfuse.record import pruned
from mmfuse.record.status import Status
from mmfuse.sweep.grammar import Axis
from mmfuse.sweep.metric import curve, final
from mmfuse.sweep.sharing import Worker
from mmfuse.sweep.space import space, typed
from mmfuse.sweep.study import Rules

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

PRUNED = pruned.FILE


def is_pruned(folder: Path) -> bool:
    """A run that came to its end all the same is not."""
    return (folder / PRUNED).exists() and Status.read(folder) != "done"


class Asked(NamedTuple):
    trial: "Trial"
    differs: dict[str, str]  # by key, what it has of the axes, as it would be typed
    folder: Path | None  # where a worker that is gone had begun it; None: nobody had


class Search:
    """Told in which folders its runs are, it reads there how they do.

    It is for one process; others have their own, of the same study.
    """

    def __init__(
        self, study: "Study", axes: Sequence[Axis], rules: Rules, metric: str, folder: Path, sole: bool = False
    ):
        """`folder` is the sweep's; `sole`: no other process can be at it."""
        self.study, self.axes, self.rules, self.metric = study, axes, rules, metric
        self.space = space(axes)
        self.worker = Worker(study, folder, sole)
        self.running: dict[Path, list[Trial]] = {}  # by folder: what this process sees to; twice the same is one run
        self.heard = dict[int, int]()  # by trial: the epochs that the study knows of

    @property
    def done(self) -> bool:
        return len(self.among("COMPLETE", "PRUNED")) >= self.rules.trials

    def ask(self) -> Asked | None:
        """The next run; None where all that are left are being run, and when it is done.

        Of two workers that ask for the last one at once, the one whose trial has the later number lets go of it.
        """
        self.worker.beat()
        self.reclaim()
        if len(self.among("COMPLETE", "PRUNED", "RUNNING")) >= self.rules.trials:
            return None
        trial = self.study.ask(self.space)
        others = self.among("COMPLETE", "PRUNED", "RUNNING", "WAITING")
        if sum(other.number < trial.number for other in others) >= self.rules.trials:
            self.end([trial], "FAIL")
            return None
        begun = trial.user_attrs.get("run")
        trial.set_user_attr("sweep", self.worker.folder)
        trial.set_user_attr("worker", self.worker.name)
        return Asked(trial, typed(self.axes, trial.params), Path(begun) if begun else None)

    def began(self, asked: Asked, folder: Path) -> None:
        """Where the run is. If it was run before, for it is one that was asked for twice, it can be told of at once."""
        with suppress(RuntimeError):  # another has taken the trial, who thought that this process was gone
            asked.trial.set_user_attr("run", str(folder.resolve()))
        self.running.setdefault(folder, []).append(asked.trial)

    def refuse(self, asked: Asked, why: str) -> None:
        """It cannot be run."""
        self.fail([asked.trial], why)

    def should_stop(self, folder: Path) -> bool:
        """Whether the run is to be given up, and asked to end; its folder says so from then on."""
        self.worker.beat()
        if self.rules.pruner == "none" or (folder / PRUNED).exists():
            return (folder / PRUNED).exists()
        for trial in self.running.get(folder, ()):
            for epoch, value in self.news(trial, folder):
                if trial.should_prune():
                    about = {"trial": trial.number, "pruner": self.rules.pruner, "epochs": epoch}
                    write_json(folder / PRUNED, about | {"metric": self.metric, "value": value})
                    return True
        return False

    def tell(self, folder: Path, failed: str | None = None) -> None:
        """Of a run that ended, for good if it `failed`; one that was stopped is left, to be gone on with."""
        trials, state = self.running.get(folder, []), Status.read(folder)
        if state == "done":
            value = final(folder, self.metric)
            for trial in trials:
                list(self.news(trial, folder))
            if math.isfinite(value):
                self.end(trials, "COMPLETE", value)
            else:
                self.fail(trials, f"{self.metric} is undefined")
        elif (folder / PRUNED).exists():
            self.end(trials, "PRUNED")
        elif failed is not None:
            self.fail(trials, failed)
        else:
            return
        self.running.pop(folder, None)

    def among(self, *states: str) -> list["FrozenTrial"]:
        from optuna.trial import TrialState

        return self.study.get_trials(deepcopy=False, states=[TrialState[state] for state in states])

    def news(self, trial: "Trial", folder: Path) -> Iterator[tuple[int, float]]:
        """What the run has done since: epochs trained and the figure then, each reported before it is yielded."""
        for epoch, value in curve(folder, self.metric):
            if epoch > self.heard.get(trial.number, 0):
                self.heard[trial.number] = epoch
                with suppress(RuntimeError):
                    trial.report(value, epoch)
                    yield epoch, value

    def reclaim(self) -> None:
        """What workers that are gone have left is failed, and queued to be asked for again as it was.

        Of several who see this, one can fail it.
        """
        from optuna.trial import TrialState

        signs = self.study.user_attrs
        for trial in self.among("RUNNING"):
            if not self.worker.gone(trial, signs):
                continue
            try:
                self.study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, RuntimeError):
                continue
            if trial.params:
                begun = {"run": trial.user_attrs["run"]} if "run" in trial.user_attrs else {}
                self.study.enqueue_trial(trial.params, user_attrs=begun)

    def end(self, trials: Sequence["Trial"], state: str, value: float | None = None) -> None:
        from optuna.trial import TrialState

        for trial in trials:
            self.study.tell(trial, value, TrialState[state], skip_if_finished=True)

    def fail(self, trials: Sequence["Trial"], why: str) -> None:
        for trial in trials:
            with suppress(RuntimeError):
                trial.set_user_attr("failed", why)
        self.end(trials, "PRUNED")
