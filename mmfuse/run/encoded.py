"""What a frozen encoder says of a modality's rows, from the cache or computed once and kept there."""

import hashlib
import json
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmfuse.cache.encode import encode, halved
from mmfuse.cache.entry import Entry, Said
from mmfuse.cache.place import root
from mmfuse.cache.values import Distinct, distinct
from mmfuse.config import target as targets
from mmfuse.data.columns import Stored
from mmfuse.data.reader import Reader
from mmfuse.encoders.pretrained import Pretrained
from mmfuse.errors import ConfigError, TrainingError
from mmfuse.listener import Listener
from mmfuse.run.make import Config, make
from mmfuse.types import Encoder, Preparation, Ragged

VERSION = 1  # of what is kept: another one makes other keys
PART, LONG = 256, 64  # values that are encoded before what was said of them is on disk; of those that cost more


class Encoded(NamedTuple):
    column: Stored
    present: np.ndarray  # (N,) whether a row has the modality
    key: str  # of what is kept: what was said, by whom, of what
    precision: str


def frozen(cfg: Config, modality: str, preparation: Preparation) -> Pretrained | None:
    """The modality's encoder, if it says the same of a row forever: nothing in it learns, and no row is augmented.

    What is not loaded but drawn at random is drawn alike whatever the run's seed.
    """
    about = cfg["encoder"][modality]
    if about.get("augment") and not make(about["augment"], f"encoder.{modality}.augment", size=preparation.size).idle:
        return None
    if about.get("freeze") is not True:  # as all encoders call it: another need not be built to know
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = encoder_of(cfg, modality, preparation)
    return encoder.eval() if isinstance(encoder, Pretrained) and encoder.frozen else None


def encoder_of(cfg: Config, modality: str, preparation: Preparation) -> Encoder:
    about = {k: v for k, v in cfg["encoder"][modality].items() if k not in ("name", "prepare", "augment")}
    return make(about, f"encoder.{modality}", size=preparation.size, **taken(about, preparation))


def taken(about: Config, preparation: Preparation) -> dict[str, Any]:
    """Those of a preparation's parts that the encoder has arguments for; all, where its source can't be read."""
    target = targets.read(about["_target_"])
    return {name: part for name, part in preparation.parts().items() if target is None or name in target.parameters}


def encoded(
    cfg: Config, modality: str, reader: Reader, preparation: Preparation, encoder: Pretrained, listener: Listener
) -> Encoded:
    """What is said of all rows. Failures to read are the reader's."""
    values = distinct(reader.raw)
    device = torch.device("cuda" if torch.cuda.is_available() and cfg["trainer"]["accelerator"] != "cpu" else "cpu")
    half = halved(device, cfg["encoding"]["precision"])
    key = key_of(cfg["encoder"][modality], values, preparation, encoder, half)
    what = f"{modality} by {cfg['encoder'][modality]['name']}{of_model(cfg['encoder'][modality])}"
    began = time.perf_counter()
    aside = None if cfg["cache"] else Path(tempfile.mkdtemp(prefix="mmfuse-"))
    folder = (aside or root()) / key
    entry = Entry(
        folder, {"what": what, "half": half}, len(values.values), encoder.dim, PART if encoder.cost <= 1 else LONG
    )
    fresh = 0

    def make_part(numbers: range) -> Said:
        nonlocal fresh
        fresh += len(numbers)
        return part(reader, values, numbers, preparation, encoder.to(device), device, half)

    listener.encoding(modality, 0, len(values.values))
    try:
        said = entry.made(make_part, lambda done: listener.encoding(modality, done, len(values.values)))
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"encoder.{modality}: memory ran out with a single row\n  to go on: a smaller model, or shorter rows"
        ) from error
    except OSError as error:  # not of the data, whose readers answer for theirs
        raise ConfigError(
            f"what encoder.{modality} says cannot be kept in {folder.parent}: {error.strerror or error}\n"
            "  to go on: "
            + ("$TMPDIR elsewhere" if aside else "$MMFUSE_CACHE elsewhere, mmfuse cache clear, or cache=false")
        ) from error
    encoder.to("cpu")
    for failure in said.failures:
        for row in np.flatnonzero(values.which == failure.row).tolist():
            reader.failures[row] = failure._replace(row=row)
    listener.encoded(
        modality,
        fresh=fresh,
        values=len(values.values),
        seconds=time.perf_counter() - began,
        place=str(folder).replace(str(Path.home()), "~", 1) if aside is None else None,
        mended=entry.damaged,
    )
    column = by_row(said.steps, values)
    if aside is not None:
        weakref.finalize(column, shutil.rmtree, aside, True)
    return Encoded(column, (column.lengths > 0).numpy(), key, "bf16" if half else "fp32")


def part(
    reader: Reader,
    values: Distinct,
    numbers: range,
    preparation: Preparation,
    encoder: Pretrained,
    device: torch.device,
    half: bool,
) -> Said:
    rows = values.first[numbers.start : numbers.stop].tolist()  # of each value, one that has it
    prepared: Ragged = reader.read(preparation, rows)
    reader.check()
    failures = [reader.failures[row]._replace(row=n) for n, row in enumerate(rows) if row in reader.failures]
    return Said(encode(encoder, prepared, device, half, encoder.cost), failures)


def by_row(steps: Ragged, values: Distinct) -> Stored:
    """The rows that have no value share one without steps."""
    if (values.which == len(steps.lengths)).any():
        steps = steps._replace(lengths=torch.cat([steps.lengths, torch.zeros(1, dtype=torch.long)]))
    own = len(values.which) == len(steps.lengths) and (values.which == np.arange(len(values.which))).all()
    return Stored(steps, None if own else torch.from_numpy(values.which))


def key_of(about: dict[str, Any], values: Distinct, preparation: Preparation, encoder: Pretrained, half: bool) -> str:
    """What decides what is said: the values, what they are prepared by, the encoder's settings and its weights."""
    digest = hashlib.blake2b(digest_size=16)
    idle, config = {"name", "lr", "checkpointing", "augment", "threads"}, {}
    found: Any = getattr(getattr(encoder, "network", None), "config", None)
    if hasattr(found, "to_dict"):
        config = found.to_dict()  # of transformers, whose weights do not tell what is done with them
        idle |= {"model", "_name_or_path", "use_cache"}  # the same model may lie elsewhere
    settings = [without(idle, part) for part in (about, preparation.state(), config)]
    decides = [VERSION, values.fingerprint, settings, half]
    digest.update(json.dumps(decides, sort_keys=True, default=str).encode())
    for name, weights in encoder.state_dict().items():
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        digest.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def without(names: set[str], settings: Mapping[Any, Any]) -> dict[Any, Any]:
    """At any depth.

    >>> without({"lr"}, {"dim": 8, "lr": 0.1, "prepare": {"lr": 0.2, "size": 4}})
    {'dim': 8, 'prepare': {'size': 4}}
    """
    kept = {name: value for name, value in settings.items() if name not in names}
    return {name: without(names, value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def of_model(about: dict[str, Any]) -> str:
    named = about.get("model") or about.get("weights")
    return f" ({named})" if named else ""
