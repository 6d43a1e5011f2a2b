"""Figures that published tables are of, and how papers write them. Torch is not imported."""

from typing import NamedTuple


class Figure(NamedTuple):
    convention: str  # what exactly is counted
    share: bool = True  # written in percent, of a run's share from 0 to 1
    counted: bool = False  # a share of rows that are right, whose standard error follows from their number
    less: bool = False  # whether less is better
    slack: float = 0.0  # a difference that is always taken for none, in the figure's unit

    @property
    def scale(self) -> float:
        """What a run's figure is multiplied by, to be written as in a table."""
        return 100.0 if self.share else 1.0


FIGURES = {
    "accuracy": Figure("rows whose class, or whose whole set of labels, is right", counted=True),
    "balanced_accuracy": Figure("mean recall over classes"),
    "f1_macro": Figure("plain mean of F1 over classes"),
    "f1_micro": Figure("F1 of all decisions together"),
    "f1_weighted": Figure("mean of F1 over classes by how many rows each has, the labels as truth"),
    "f1_samples": Figure("mean over rows of the F1 of a row's labels"),
    "acc2_has0": Figure("negative or not: y >= 0, over all rows", counted=True),
    "f1_has0": Figure("weighted F1 of negative or not, over all rows"),
    "acc2_non0": Figure("negative or positive: y > 0, over rows whose label is not 0", counted=True),
    "f1_non0": Figure("weighted F1 of negative or positive, over rows whose label is not 0"),
    "acc5": Figure("clipped to [-2, 2] and rounded, halves to even", counted=True),
    "acc7": Figure("clipped to [-3, 3] and rounded, halves to even", counted=True),
    "mae": Figure("mean absolute error", share=False, less=True, slack=0.03),
    "pearson": Figure("Pearson's correlation", share=False),
}


def figure(name: str) -> Figure:
    """Of all tested rows, or of some.

    >>> figure("accuracy@open") is figure("accuracy")
    True
    """
    return FIGURES[name.partition("@")[0]]
