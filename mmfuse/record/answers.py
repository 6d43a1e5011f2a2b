"""answers.npz: what a trained model said of its validation and test rows, as arrays, so that it can be judged anew."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmfuse.atomic import write
from mmfuse.metrics.summary import Answers

PARTS = ("rows", "answers", "targets", "groups")


def save(path: Path, said: Mapping[str, Answers]) -> None:
    """By "test", "val" and the names of views; of each task rows, answers, targets, and groups if there are any."""
    arrays = {
        f"{split}|{task}|{part}": values
        for split, answers in said.items()
        for part in PARTS
        for task, values in getattr(answers, part).items()
    }

    def written(beside: Path) -> None:
        with open(beside, "wb") as file:
            np.savez_compressed(file, **arrays)

    write(path, written)


def load(path: Path) -> dict[str, Answers]:
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            split, task, part = name.split("|")
            found.setdefault(split, {}).setdefault(part, {})[task] = arrays[name]
    return {split: Answers(**{part: about.get(part, {}) for part in PARTS}) for split, about in found.items()}
