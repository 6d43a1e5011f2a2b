"""tasks.json: what a seed was asked for, so that its model can be asked again where nothing has a label."""

from collections.abc import Mapping
from typing import Any

from mmfuse.errors import ConfigError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.multilabel import Multilabel
from mmfuse.tasks.pairs import Pairs
from mmfuse.tasks.regression import Regression
from mmfuse.tasks.sentiment import Sentiment
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Task

MADE_OF = {  # the arguments that decide what an answer means; those of losses are left to training
    Multiclass: ("classes",),
    Multilabel: ("classes",),
    Pairs: ("between", "temperature"),
    Regression: ("mean", "std"),
    Sentiment: ("mean", "std"),
    Tokens: ("classes", "of"),
}


def state(tasks: Mapping[str, Task]) -> dict[str, dict[str, Any]]:
    """As plain JSON.

    >>> state({"grade": Regression(3.5, 2.0)})
    {'grade': {'kind': 'Regression', 'mean': 3.5, 'std': 2.0}}
    """
    return {
        name: {"kind": type(task).__name__} | {part: plain(getattr(task, part)) for part in MADE_OF.get(type(task), ())}
        for name, task in tasks.items()
    }


def restored(state: Mapping[str, Mapping[str, Any]]) -> dict[str, Task]:
    kinds = {kind.__name__: kind for kind in MADE_OF}
    found: dict[str, Task] = {}
    for name, about in state.items():
        if about["kind"] not in kinds:
            raise ConfigError(f"task '{name}' is a {about['kind']}, which is somebody's own and cannot be restored")
        arguments = {part: value for part, value in about.items() if part != "kind"}
        found[name] = kinds[about["kind"]](**arguments)
    return found


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
