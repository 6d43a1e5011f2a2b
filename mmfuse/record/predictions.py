"""predictions.parquet: for each tested row its id and, for each task, target and probabilities or value."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmfuse.record.atomic import write


def save(
    path: Path,
    rows: np.ndarray,
    ids: Sequence[str],
    answers: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str] | None],
) -> None:
    """Columns row, id, and of a task <task>/target, then <task>/predicted and <task>/p(<class>), or <task>/predicted.

    Targets and predictions are class names; a missing label is null.
    """
    columns: dict[str, Sequence | np.ndarray] = {"row": rows, "id": [ids[row] for row in rows]}
    for task, answer in answers.items():
        names = classes[task]
        if names is None:
            columns |= {f"{task}/target": targets[task], f"{task}/predicted": answer}
            continue
        columns[f"{task}/target"] = [names[k] if k >= 0 else None for k in targets[task]]
        columns[f"{task}/predicted"] = [names[k] for k in answer.argmax(axis=1)]
        columns |= {f"{task}/p({name})": answer[:, k] for k, name in enumerate(names)}
    table = pd.DataFrame(columns)
    write(path, lambda beside: table.to_parquet(beside, index=False))
