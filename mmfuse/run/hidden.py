"""Values that are hidden on purpose: at a rate, or by the pattern of another run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfuse.data.columns import Column
from mmfuse.data.hide import hide
from mmfuse.data.pattern import Pattern, drawn
from mmfuse.data.splits import Split
from mmfuse.errors import ConfigError
from mmfuse.run.make import Config
from mmfuse.types import Examples

Found = dict[str, tuple[Column, np.ndarray]]  # by modality: its column, and (N,) whether a row has it


def asked(cfg: Config, examples: Examples) -> Pattern | None:
    """The pattern that is to be used again, if any. Refuses what cannot be before anything is read or encoded."""
    about: Mapping[str, Any] = cfg["dataset"]["missing"]
    if unknown := [name for name in about["splits"] if name not in Split._fields]:
        raise ConfigError(f"dataset.missing.splits: there is no '{unknown[0]}'; there are {', '.join(Split._fields)}")
    if not hides(cfg):
        return None
    for name, task in examples.tasks.items():
        if task.of is not None:
            raise ConfigError(
                f"dataset.missing hides whole values, but task '{name}' labels the steps of '{task.of}'\n"
                "  to go on: dataset.missing.rate=0 dataset.missing.pattern=null, or drop=..., which hides in training"
            )
    if about["pattern"] is not None and about["rate"]:
        raise ConfigError(
            f"dataset.missing.rate={about['rate']} makes a pattern, and dataset.missing.pattern names one\n"
            "  to go on: one of the two"
        )
    if about["pattern"] is not None:
        return Pattern.load(Path(about["pattern"])).of(examples.ids, list(examples.raw))
    drawn(np.ones((len(examples), len(examples.raw)), dtype=bool), about["rate"], 0)  # is there enough to hide?
    return None


def hides(cfg: Config) -> bool:
    return bool(cfg["dataset"]["missing"]["rate"]) or cfg["dataset"]["missing"]["pattern"] is not None


def hidden(
    cfg: Config, examples: Examples, split: Split, found: Found, given: Pattern | None
) -> tuple[Found, Pattern | None]:
    """The columns with values hidden in the splits that were named, and the pattern, which is of all rows."""
    if not hides(cfg):
        return found, None
    about, modalities = cfg["dataset"]["missing"], list(examples.raw)
    pattern = given
    if pattern is None:
        present = np.stack([found[m][1] for m in modalities], axis=1)  # (N, M)
        pattern = Pattern(examples.ids, modalities, drawn(present, about["rate"], about["seed"]))
    reached = np.zeros(len(examples), dtype=bool)  # the rows in which values are hidden
    for name in about["splits"]:
        reached[getattr(split, name)] = True
    hidden_here = {m: reached & ~pattern.mask[:, k] for k, m in enumerate(modalities)}  # (N,) each
    columns = {
        m: (hide(column, torch.from_numpy(hidden_here[m])), present & ~hidden_here[m])
        for m, (column, present) in found.items()
    }
    return columns, pattern
