"""What came of a search: the best, what it would take to run it again, and what mattered."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmfuse.sweep.grammar import Axis
from mmfuse.sweep.metric import named
from mmfuse.sweep.space import typed
from mmfuse.wording import number

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

ENOUGH = 10  # complete trials, before anything is said of what mattered


class Best(NamedTuple):
    trial: int
    value: float
    differs: dict[str, str]  # by key, as it would be typed
    folder: Path


def best(study: "Study", axes: Sequence[Axis]) -> Best | None:
    """Of those that ran to their end; the first of equals."""
    complete = ended(study, "COMPLETE")
    if not complete:
        return None
    trial = study.best_trial
    return Best(trial.number, float(trial.value or 0.0), typed(axes, trial.params), Path(trial.user_attrs["run"]))


def counts(study: "Study") -> dict[str, int]:
    """Trials by what became of them: complete, pruned, failed, and running."""
    pruned = ended(study, "PRUNED")
    failed = sum("failed" in trial.user_attrs for trial in pruned)
    return {
        "complete": len(ended(study, "COMPLETE")),
        "pruned": len(pruned) - failed,
        "failed": failed,
        "running": len(ended(study, "RUNNING")),
    }


def importance(study: "Study", axes: Sequence[Axis]) -> dict[str, float]:
    """By key, an axis's share in how much the figure varies (fANOVA, Hutter et al. 2014), the largest first, 1 in sum.

    Empty where there is too little to go by.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    complete = ended(study, "COMPLETE")
    if len(axes) < 2 or len(complete) < ENOUGH or len({trial.value for trial in complete}) < 2:
        return {}
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key: float(share) for key, share in shares.items()}


def lines(study: "Study", axes: Sequence[Axis], metric: str, command: Sequence[str]) -> list[str]:
    """For the screen. `command` is what all runs have in common, such as ["mmfuse", "train", "-e", "mine"]."""
    became = ", ".join(f"{n} {what}" for what, n in counts(study).items() if n)
    found = [f"search   {study.study_name}: {became or 'nothing'}"]
    top = best(study, axes)
    if top is None:
        return found
    again = [*command, *(f"{key}={value}" for key, value in top.differs.items())]
    found.append(f"best     {named(top.folder, metric)} {number(top.value)}, trial {top.trial}   {top.folder}")
    found.append(f"again    {shlex.join(again)}")
    if shares := importance(study, axes):
        found.append(f"mattered {'   '.join(f'{key} {share:.0%}' for key, share in shares.items())}")
    return found


def ended(study: "Study", state: str) -> list["FrozenTrial"]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=[TrialState[state]])
