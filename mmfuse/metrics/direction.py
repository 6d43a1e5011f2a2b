"""Which way figures get better, by their names."""

from typing import Literal

LESS = ("mae", "ece", "brier", "nll", "median_rank", "ties")  # of these, less is better


def less(figure: str) -> bool:
    """Whether less of it is better, whatever it is of.

    >>> less("mae"), less("image_to_text/median_rank"), less("ece_calibrated"), less("accuracy")
    (True, True, True, False)
    """
    return figure.rpartition("/")[2].removesuffix("_calibrated") in LESS


def mode(figure: str) -> Literal["max", "min"]:
    """Of what is watched while training, losses among it.

    >>> mode("val/loss/fusion/balance"), mode("val@text/digit/ece"), mode("val/piece/accuracy")
    ('min', 'min', 'max')
    """
    return "min" if "loss" in figure.split("/")[1:2] or less(figure) else "max"
