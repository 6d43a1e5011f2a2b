"""Each modality against the mean of the others."""

from jaxtyping import Float
from torch import Tensor


def mean_of_others(scores: Float[Tensor, " M"]) -> Float[Tensor, " M"]:
    """For each, the mean of the others that are numbers; NaN where none is, and where it is none itself.

    >>> import torch
    >>> mean_of_others(torch.tensor([1.0, 2.0, 6.0, torch.nan]))
    tensor([4.0000, 3.5000, 1.5000,    nan])
    """
    return (scores.nansum() - scores) / (scores.isfinite().sum() - 1)
