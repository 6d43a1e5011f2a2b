"""Figures as a report writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfuse.report.blocks import Cell
from mmfuse.wording import number
from mmfuse.wording import signed as with_sign


def mean_std(about: Mapping[str, Any]) -> str:
    """
    >>> mean_std({"mean": 0.95, "std": 0.008}), mean_std({"mean": 0.95, "std": None}), mean_std({"mean": None})
    ('.950 ± .008', '.950', 'n/a')
    """
    spread = known(about.get("std"))
    return number(known(about["mean"])) + (f" ± {number(spread)}" if spread is not None else "")


def interval(bounds: Sequence[float | int | None] | None) -> str:
    """
    >>> interval([0.929, 0.968]), interval([None, None]), interval(None)
    ('[.929, .968]', '', '')
    """
    if not bounds or any(known(bound) is None for bound in bounds):
        return ""
    return f"[{', '.join(number(bound) for bound in bounds)}]"


def signed(value: float | int | None) -> str:
    """
    >>> signed(0.0812), signed(-1e-16), signed(None)
    ('+.081', '+.000', 'n/a')
    """
    return "n/a" if known(value) is None else with_sign(round(float(value or 0), 3) or 0.0)


def signed_interval(bounds: Sequence[float | int | None]) -> str:
    return f"[{', '.join(signed(bound) for bound in bounds)}]"


def p_value(p: float | int | None) -> str:
    """
    >>> p_value(0.001998), p_value(0.00004), p_value(1.0), p_value(0.31)
    ('p = .002', 'p < .001', 'p = 1.000', 'p = .310')
    """
    return "p n/a" if known(p) is None else "p < .001" if float(p or 0) < 0.0005 else f"p = {number(p)}"


def known(value: float | int | None) -> float | int | None:
    """None for what is not a number, too."""
    return value if value is not None and value == value else None


def figure_cell(about: Mapping[str, Any]) -> Cell:
    """Mean ± deviation, the interval under it; sorted by the mean."""
    return Cell(mean_std(about), known(about["mean"]), interval(about.get("ci95")))


def spread_cell(about: Mapping[str, Any], sign: bool = False) -> Cell:
    mean, std = known(about["mean"]), known(about.get("std"))
    shown = signed(mean) if sign else number(mean)
    return Cell(shown + (f" ± {number(std)}" if std is not None else ""), mean)


def listed(names: Sequence[str]) -> str:
    """
    >>> listed(["image"]), listed(["image", "audio", "text"])
    ('image', 'image, audio and text')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def plural(count: int, word: str) -> str:
    """
    >>> plural(1, "seed"), plural(2, "seed"), plural(3, "class")
    ('1 seed', '2 seeds', '3 classes')
    """
    return f"{count:,} {word}{'' if count == 1 else 'es' if word.endswith('s') else 's'}"
