"""An exported file that says what the model says, or none."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmfuse import masks
from mmfuse.atomic import write
from mmfuse.errors import ConfigError
from mmfuse.export.files import Ran, run_onnx, run_pt2, save_onnx, save_pt2
from mmfuse.export.program import graph
from mmfuse.export.served import Served
from mmfuse.metrics.calibration import tempered
from mmfuse.tasks.regression import Regression
from mmfuse.types import Batch, Model, Signal, Task

TOLERANCE = 1e-4  # of a probability, or of the standard deviation of a value


class Exported(NamedTuple):
    difference: float  # the largest there was
    rows: tuple[int, ...]  # of the batches that were compared
    inputs: dict[str, Tensor]  # such as the graph was drawn from
    steps: dict[str, int | None]  # by input that has steps: how many there have to be; None: any number


def export(
    model: Model,
    tasks: Mapping[str, Task],
    hears: Collection[str] | None,
    temperatures: Mapping[str, float],
    batches: Sequence[Batch],
    file: Path,
    opset: int | None = None,
) -> Exported:
    """As ONNX or torch's own by the file's ending. The graph is drawn from the first batch, and checked on the others.

    Raises `ConfigError` where the model cannot be exported, or where the file says something else; then there is none.
    """
    other = {".onnx": "pt2", ".pt2": "onnx"}[file.suffix]
    given = inputs(batches[0])
    if clash := sorted(set(tasks) & set(given)):
        raise ConfigError(f"'{clash[0]}' is a task and an input at once, and an exported model has a name once")
    served = Served(model, tasks, hears, temperatures).eval()
    try:
        found = graph(served, given)
    except Exception as error:  # torch raises what it likes where it cannot follow a model
        raise ConfigError(
            f"torch.export cannot follow this model, in neither format: {first(error)}"
            "\n  to go on: mmfuse predict, which runs the model itself, or another fusion or encoder"
        ) from error
    differences: list[float] = []

    def fill(beside: Path) -> None:
        try:
            if file.suffix == ".onnx":
                save_onnx(found.program, list(given), list(tasks), opset, beside)
                ran = run_onnx(beside)
            else:
                save_pt2(found.program, beside)
                ran = run_pt2(beside)
        except Exception as error:  # likewise
            raise ConfigError(
                f"this model cannot be had as {file.suffix[1:]}: {first(error)}\n  to go on: --format {other}"
            ) from error
        asked = (model, tasks, hears, temperatures, ran)
        differences.extend(difference(*asked, batch, found.steps) for batch in batches[1:])
        if not max(differences) < TOLERANCE:
            raise ConfigError(
                f"{file.name} says something else than the model: up to {max(differences):.2g} apart, and"
                f" {TOLERANCE:g} is allowed; it was not kept\n  to go on: --format {other}"
            )

    write(file, fill)
    return Exported(max(differences), tuple(len(batch.rows) for batch in batches[1:]), given, found.steps)


def inputs(batch: Batch) -> dict[str, Tensor]:
    """`<modality>` and `<modality>_mask` of each."""
    return {name: x for m, s in batch.signals.items() for name, x in ((m, s.data), (f"{m}_mask", s.mask))}


def padded(given: Mapping[str, Tensor], steps: Mapping[str, int | None]) -> dict[str, Tensor]:
    """Zeros, and False, up to the number of steps that an input has to have."""
    found = dict(given)
    for name, wanted in steps.items():
        x = given[name]
        if wanted is not None and x.shape[1] < wanted:
            found[name] = torch.cat([x, x.new_zeros(len(x), wanted - x.shape[1], *x.shape[2:])], dim=1)
    return found


def difference(
    model: Model,
    tasks: Mapping[str, Task],
    hears: Collection[str] | None,
    temperatures: Mapping[str, float],
    ran: Ran,
    batch: Batch,
    steps: Mapping[str, int | None],
) -> float:
    """The largest over all tasks and rows, by `Task.answer` as in every other command; infinite where one is NaN."""
    given = padded(inputs(batch), steps)
    try:
        said = ran(given)
    except Exception as error:  # a runtime, too
        raise ConfigError(f"the exported model does not run on {len(batch.rows)} rows: {first(error)}") from error
    with torch.no_grad():
        encoded = model.encode({m: Signal(given[m], given[f"{m}_mask"]) for m in batch.signals})
        known = model.predict(encoded if hears is None else masks.keep(encoded, hears))
    worst = 0.0
    for name, task in tasks.items():
        want = task.answer(known[name].float().flatten(0, -2))  # (U, K) or (U,)
        if name in temperatures:
            want = tempered(want, temperatures[name])
        have = said[name].astype(np.float64).reshape(want.shape)
        apart = np.abs(have - want) / (task.std if isinstance(task, Regression) else 1.0)
        apart = np.where(np.isnan(have) & np.isnan(want), 0.0, apart)  # of codes, where there is nothing to say
        worst = max(worst, float("inf") if np.isnan(apart).any() else float(apart.max(initial=0.0)))
    return worst


def first(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
