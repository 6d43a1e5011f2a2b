"""pruned.json: a search gave the run up, for it did badly beside the others; it is not to be gone on with."""

import json
from pathlib import Path
from typing import Any

FILE = "pruned.json"


def told(folder: Path) -> dict[str, Any] | None:
    """ "trial", "pruner", "epochs" trained until then, and the "value" of "metric" after them; None of other runs."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def in_words(about: dict[str, Any]) -> str:
    """
    >>> in_words({"trial": 3, "pruner": "median", "epochs": 2, "metric": "val/f1_macro", "value": 0.25})
    'by median after 2 epochs, val/f1_macro 0.25'
    """
    epochs, value = about.get("epochs"), about.get("value")
    shown = f"{value:.4g}" if isinstance(value, int | float) else "unknown"
    return f"by {about.get('pruner')} after {epochs} epoch{'s' * (epochs != 1)}, {about.get('metric')} {shown}"
