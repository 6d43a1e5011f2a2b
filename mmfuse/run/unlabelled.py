"""Rows that the run has not seen and that need no labels, prepared by what it has learned."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfuse.data.align import require_aligned
from mmfuse.data.columns import Column, Stored
from mmfuse.data.reader import Reader, column
from mmfuse.data.splits import Split
from mmfuse.data.table import Table
from mmfuse.errors import ConfigError, DataError, closest
from mmfuse.listener import Listener
from mmfuse.run.encoded import encoded, frozen
from mmfuse.run.make import Config, make
from mmfuse.run.prepare import Frozen, Prepared, kinds
from mmfuse.run.restored import Replica
from mmfuse.types import Examples, Preparation, Ragged

OF_CELLS = ("kind", "column", "columns")  # what a modality's entry says of a table's columns


def read(cfg: Config, file: Path, media: str | None) -> Examples:
    """A table of the columns that the run's config names; of a run on something else, named as its modalities are.

    Of such a run a column "id" names the rows, if there is one. Paths in it are relative to the table, or to `media`.
    """
    about, table = cfg["dataset"], "mmfuse.data.table.Table"
    of_table = about["_target_"] == table
    entries = about["modalities"]
    if not of_table:
        entries = {m: {k: v for k, v in entry.items() if k in OF_CELLS} for m, entry in entries.items()}
    rest = {k: about[k] for k in ("id", "encoding", "outside")} if of_table else {"id": "id"}
    place: dict[str, Any] = {"root": str(file.parent), "media_root": media}
    examples = Table(file.name, entries, about["tasks"], **place, **rest).unlabelled()
    said = [f"'{examples.columns[m]}' ({m})" for m in examples.raw]
    if all(value is None for values in examples.raw.values() for value in values):
        there = ", ".join(list(examples.extras)[:20]) or "no others"
        raise DataError(
            f"{file.name}: no row has anything to predict from; the run reads {', '.join(said)}"
            f"\n  its other columns: {there}\n  to go on: name them so, or dataset.modalities.NAME.column=COLUMN"
        )
    return examples


def advise(examples: Examples, listener: Listener, file: Path) -> list[str]:
    """The modalities that no row has; each is told once."""
    lacking = [m for m, values in examples.raw.items() if all(value is None for value in values)]
    for m in lacking:
        others = ", ".join(other for other in examples.raw if other not in lacking)
        guess = closest(examples.columns[m], list(examples.extras))
        said = f"no row of {file.name} has it (column '{examples.columns[m]}'); predicted from {others}"
        listener.advised(m, f"{said}{f'; {guess}' if guess else ''}")
    return lacking


def prepared(cfg: Config, examples: Examples, replica: Replica, listener: Listener, encodes: bool = True) -> Prepared:
    """Frozen encoders have said what they have to of what comes out, unless `encodes` is False."""
    forgiving = cfg["dataset"]["missing"]["unreadable"] == "missing"
    preparations: dict[str, Preparation] = {}
    found: dict[str, tuple[Column, np.ndarray]] = {}
    done, unreadable = {}, {}
    for m in examples.raw:
        preparation: Preparation = make(cfg["encoder"][m]["prepare"], f"encoder.{m}.prepare")
        preparation.restore(replica.learned[m])
        reader = Reader(m, examples, forgiving=forgiving)
        encoder = frozen(cfg, m, preparation) if encodes else None
        if encoder is None:
            found[m] = column(reader, preparation, cfg["loader"]["memory_gb"])
        elif all(value is None for value in examples.raw[m]):
            found[m] = nothing(len(examples), encoder.dim)
        else:
            said = encoded(cfg, m, reader, preparation, encoder, listener)
            found[m] = said.column, said.present
        reader.check()
        if encoder is not None:
            done[m] = Frozen(encoder.dim, sum(p.numel() for p in encoder.parameters()))
        preparations[m] = preparation
        unreadable[m] = {row: reader.failures[row] for row in sorted(reader.failures)}
    columns, present = {m: each for m, (each, _) in found.items()}, {m: here for m, (_, here) in found.items()}
    refuse_to_fill(cfg, columns, present)
    if cfg["dataset"]["align"] == "require":
        require_aligned(columns, [m for m, kind in kinds(cfg).items() if kind == "sequence"])
    rows, none = np.arange(len(examples)), np.arange(0)
    split = Split(none, none, rows)
    return Prepared(split, columns, preparations, replica.tasks, {}, present, unreadable, none, encoded=done)


def nothing(rows: int, dim: int) -> tuple[Column, np.ndarray]:
    return Stored(Ragged(torch.zeros(0, dim), torch.zeros(rows, dtype=torch.long))), np.zeros(rows, dtype=bool)


def refuse_to_fill(cfg: Config, columns: dict[str, Column], present: dict[str, np.ndarray]) -> None:
    about = cfg["dataset"]["missing"]
    if about["policy"] != "fill" or about["fill"] == "token":
        return
    for m, here in present.items():
        each = columns[m]
        holes = isinstance(each, Stored) and each.real is not None
        if holes or not here.all():
            raise ConfigError(
                f"'{m}' has missing values, which this run fills from its training rows (dataset.missing.fill="
                f"{about['fill']}); new rows cannot be filled\n  to go on: rows without gaps, or a run with"
                " dataset.missing.policy=mask, or fill=token"
            )
