"""What a task is, read off the figures that it has, and which of them are told first."""

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["classes", "labels", "number", "pairs", "other"]
HEADLINES: dict[Kind, tuple[str, ...]] = {
    "classes": ("accuracy", "precision_macro", "recall_macro", "f1_macro"),
    "labels": ("f1_micro", "f1_macro", "precision_macro", "recall_macro"),
    "number": ("mae", "pearson"),
    "pairs": ("r@1", "r@5", "r@10", "mrr"),
}


def kind(table: Mapping[str, Any]) -> Kind:
    """
    >>> kind({"mae": {}, "pearson": {}}), kind({"per_class": {}, "confusion": {}}), kind({"mine": {}})
    ('number', 'classes', 'other')
    """
    if "confusion" in table:
        return "classes"
    if "per_class" in table:
        return "labels"
    return "pairs" if "mrr" in table else "number" if "mae" in table else "other"


def headline(table: Mapping[str, Any]) -> list[str]:
    known = [figure for figure in HEADLINES.get(kind(table), ()) if figure in table]
    return known or [name for name, about in table.items() if "mean" in about][:4]
