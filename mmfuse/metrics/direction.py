"""Which way figures get better, by their names."""

from typing import Literal

LESS = ("mae", "ece", "brier", "nll", "median_rank", "ties")  # of these, less is better


def mode(figure: str) -> Literal["max", "min"]:
    """
    >>> mode("val/loss/fusion/balance"), mode("val@text/digit/ece"), mode("val/piece/accuracy")
    ('min', 'min', 'max')
    """
    return "min" if "loss" in figure.split("/")[1:2] or figure.rpartition("/")[2] in LESS else "max"
