"""Which runs of a sweep may be trained as one: those that differ in seeds and floats of what is trained. Torch is not
imported; what only a model tells, whoever trains it finds out.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmfuse.run.identity import digest

FLOATS = ("optimizer", "rates", "fusion", "model", "encoder", "objectives", "balance", "completion")
DATA = ("prepare", "augment")  # parts of an encoder that touch rows
ELSEWHERE = {"trainer": ("gradient_clip_val",), "early_stopping": ("min_delta", "patience")}
ANY = "of each its own"
LOG = "stack.log"  # in the sweep's folder: why stacks could not be trained


class Kin(NamedTuple):
    """Of one run."""

    key: str  # alike of runs that may be trained as one
    alone: str | None  # why it is trained by itself; None: it need not be


def kin(config: Mapping[str, Any]) -> Kin:
    free: dict[str, Any] = {k: v for k, v in config.items() if k not in ("name", "output_dir", "seed", "seeds")}
    free |= {part: levelled(free[part]) for part in FLOATS if part in free}
    free |= {part: {**free[part], **dict.fromkeys(keys, ANY)} for part, keys in ELSEWHERE.items()}
    return Kin(digest(free, len(config["seeds"])), alone(config))


def levelled(part: Any) -> Any:
    """With the same word for every float.

    >>> levelled({"lr": 0.1, "dim": 8, "prepare": {"cut": 0.5}})
    {'lr': 'of each its own', 'dim': 8, 'prepare': {'cut': 0.5}}
    """
    if isinstance(part, dict):
        return {key: value if key in DATA else levelled(value) for key, value in part.items()}
    return ANY if isinstance(part, float) else part


def alone(config: Mapping[str, Any]) -> str | None:
    """
    >>> from mmfuse.config.catalog import Catalog
    >>> from mmfuse.config.compose import compose
    >>> alone(compose([], Catalog())), alone(compose(["balance=pcgrad"], Catalog()))
    (None, 'balance=pcgrad')
    """
    chosen, trainer = config["choices"], config["trainer"]
    one = {"limit_train_batches": 1.0, "limit_val_batches": 1.0, "accumulate_grad_batches": 1, "num_nodes": 1}
    said = [
        *(f"{part}={chosen[part]}" for part, names in KNOWN.items() if chosen.get(part) not in names),
        *(f"trainer.{key}={trainer[key]}" for key, value in one.items() if trainer[key] != value),
        *(f"trainer.{key}={trainer[key]}" for key in trainer if key not in (*one, *OF_TRAINER)),
        *(f"trainer.{key}={trainer[key]}" for key, names in OF_TRAINER.items() if names and trainer[key] not in names),
        *(f"{key}={config[key]}" for key in ("mixup", "folds", "baselines") if config[key]),
        *(f"penalty.{key}={value}" for key, value in config["penalty"].items() if value),
        *([f"averaging.kind={config['averaging']['kind']}"] if config["averaging"]["kind"] != "none" else []),
        *(["loader.by_length=true"] if config["loader"]["by_length"] else []),
        *([f"strategy={chosen.get('strategy')}"] if config["strategy"]["transfer"] else []),
    ]
    return said[0] if said else None


KNOWN = {"schedule": ("synchronous",), "balance": ("plain", "uncertainty"), "optimizer": ("adamw", "adam", "sgd")}
OF_TRAINER: dict[str, tuple[Any, ...]] = {
    "_target_": ("pytorch_lightning.Trainer",),
    "max_epochs": (),
    "accelerator": ("auto", "cpu"),
    "devices": (1, "1", "auto"),
    "strategy": ("auto",),
    "precision": ("32-true", "32", 32),
    "gradient_clip_val": (),
    "deterministic": (),
}


def line(found: Mapping[str, Kin], size: int) -> str:
    """What a sweep says of them before it starts."""
    many = Counter(each.key for each in found.values() if each.alone is None)
    stacks = sum(-(-n // size) for n in many.values() if n > 1)
    reasons = Counter(
        each.alone or "nothing else is like it" for each in found.values() if each.alone or many[each.key] == 1
    )
    by_itself = f"; alone: {', '.join(f'{n} ({why})' for why, n in reasons.most_common(3))}" if reasons else ""
    return f"stacked  {sum(n for n in many.values() if n > 1)} runs in {stacks} stacks{by_itself}"


def refused(sweep: Path) -> list[str]:
    """What stacks said that could not be trained, each once."""
    try:
        return list(dict.fromkeys((sweep / LOG).read_text(encoding="utf-8").splitlines()))
    except OSError:
        return []
