"""The elastic net: l1 |w|_1 + l2 / 2 |w|^2 over weights, added to what is learned from.

Zou and Hastie, Regularization and Variable Selection via the Elastic Net, 2005,
https://doi.org/10.1111/j.1467-9868.2005.00503.x. Its slope is scaled by whatever the optimizer does to slopes: with
Adam an l2 here is not the decoupled pull of `optimizer.weight_decay`, which is on all parameters, biases among them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from mmfuse.types import Losses

NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase, nn.RMSNorm)


class Penalty(NamedTuple):
    l1: float = 0.0
    l2: float = 0.0

    def of(self, weights: Sequence[nn.Parameter]) -> Losses:
        """By name, of the weights that learn; none where both factors are 0.

        >>> w = nn.Parameter(torch.tensor([[1.0, -2.0]]))
        >>> {name: loss.item() for name, loss in Penalty(l1=0.1, l2=0.2).of([w]).items()}
        {'penalty/l1': 0.30000001192092896, 'penalty/l2': 0.5}
        """
        learning = [w for w in weights if w.requires_grad]
        if not learning:
            return {}
        found = {}
        if self.l1:
            found["penalty/l1"] = self.l1 * torch.stack([w.float().abs().sum() for w in learning]).sum()
        if self.l2:
            found["penalty/l2"] = self.l2 / 2 * torch.stack([w.float().square().sum() for w in learning]).sum()
        return found


NO_PENALTY = Penalty()


def weights(*modules: nn.Module) -> list[nn.Parameter]:
    """Each once: what has two dimensions or more, and is neither a normalisation's nor called a bias."""
    found = {
        p: None
        for module in modules
        for part in module.modules()
        if not isinstance(part, NORMS)
        for name, p in part.named_parameters(recurse=False)
        if p.ndim > 1 and "bias" not in name
    }
    return list(found)


def checked(penalty: Penalty) -> Penalty:
    for name, factor in penalty._asdict().items():
        if factor < 0:
            raise ValueError(f"penalty.{name}={factor}: at least 0 is needed")
    return penalty
