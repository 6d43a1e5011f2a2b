"""What decides a run's result, of its settings: two runs that are alike in it are one. Torch is not imported."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ASIDE = (  # what changes no result
    *("name", "output_dir", "baselines", "cache", "threads", "loader", "bootstrap", "checkpoint_minutes", "logger"),
    "choices",
)


def decides(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that change no result."""
    kept = {key: value for key, value in cfg.items() if key not in ASIDE}
    if cfg.get("loader", {}).get("by_length"):  # which puts rows into other batches
        kept["by_length"] = True
    return kept


def digest(*decisive: Any) -> str:
    """Twelve hexadecimal digits."""
    text = json.dumps(decisive, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
