"""What a finished run predicted of its test rows, by row: the target and the class it chose."""

from pathlib import Path

import pandas as pd

from mmfuse.compare.reading import Run, read
from mmfuse.errors import ConfigError, offer


def one_run(places: list[Path], option: str) -> Run:
    """The one finished run that these are."""
    runs, _ = read(places)
    if len(runs) > 1:
        raise ConfigError(f"{option} is of one run, and these are {len(runs)}\n  to go on: one run's folder")
    return runs[0]


def predicted(run: Run, task: str | None) -> tuple[str, pd.DataFrame, list[str]]:
    """The task, the labelled test rows (row, id, target, predicted) of the run's first seed, and the classes."""
    fold, seed = run.places[0]
    file = run.place(fold, seed) / "predictions.parquet"
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    tasks = [name.removesuffix("/predicted") for name in table.columns if name.endswith("/predicted")]
    if task is not None and task not in tasks:
        raise ConfigError(f"--task {task}: the run does not predict it\n  {offer(task, tasks, 'it predicts')}")
    fit = [t for t in ([task] if task else tasks) if of_classes(table, t)]
    if not fit:
        raise ConfigError(
            f"{', '.join([task] if task else tasks) or 'the run'}: no task with one class a row"
            "\n  people's labels are compared for such tasks only"
        )
    columns = {"row": "row", "id": "id", f"{fit[0]}/target": "target", f"{fit[0]}/predicted": "predicted"}
    found = table[list(columns)].rename(columns=columns).dropna(subset=["target"]).reset_index(drop=True)
    start = f"{fit[0]}/p("
    return fit[0], found, [str(name)[len(start) : -1] for name in table.columns if name.startswith(start)]


def of_classes(table: pd.DataFrame, task: str) -> bool:
    return all(isinstance(value, str) for part in ("target", "predicted") for value in table[f"{task}/{part}"].dropna())
