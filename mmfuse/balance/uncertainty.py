"""Each task's noise is learned, and its loss weighed by the inverse: likelihoods of unknown variance, multiplied.

With s = log sigma^2 of a task: e^-s L / 2 + s / 2 for a regression, e^-s L + s / 2 for a classification (Kendall, Gal
and Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, https://arxiv.org/abs/1705.07115). At a
constant L the first is least at s = log L, the second at s = log 2L. Published code often takes the first for all.
The sum may be negative. A task without a label in a batch leaves its s as it is.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.balance.chosen import chosen, weighed
from mmfuse.tasks.regression import Regression
from mmfuse.types import Balancer, Step

Form = Literal["task", "regression", "classification"]


class Uncertainty(Balancer):
    def __init__(
        self,
        losses: Sequence[str],
        form: Form = "task",
        start: float = 0.0,
        lr: float | None = None,
        of: Sequence[str] = ("task/*",),
    ):
        """`form` is one for all, or "task": by what each loss is of. `start` is s at first, and `lr` its own rate."""
        super().__init__()
        self.names = chosen(losses, of)
        self.form, self.lr = form, lr
        self.log_variances = nn.Parameter(torch.full((len(self.names),), start))

    def forward(self, step: Step) -> Tensor:
        these = weighed(step.losses, self.names)
        halved = these.losses.new_tensor([self.halved(self.names[k], step) for k in these.places], dtype=torch.bool)
        terms = negative_log_likelihoods(these.losses, self.log_variances[these.places], halved)
        return terms.where(these.told, 0.0).sum() + these.rest

    def halved(self, name: str, step: Step) -> bool:
        if self.form == "task":
            return isinstance(step.tasks.get(name.partition("/")[2]), Regression)
        return self.form == "regression"


def negative_log_likelihoods(
    losses: Float[Tensor, " K"], log_variances: Float[Tensor, " K"], halved: Bool[Tensor, " K"]
) -> Float[Tensor, " K"]:
    """
    >>> losses, s = torch.tensor([1.2, 0.4]), torch.tensor([0.3, -0.2])
    >>> for form in (True, False):  # regression, classification
    ...     print(round(float(negative_log_likelihoods(losses, s, torch.tensor([form, form])).sum()), 5))
    0.73877
    1.42754
    """
    return (-log_variances).exp() * losses * torch.where(halved, 0.5, 1.0) + log_variances / 2
