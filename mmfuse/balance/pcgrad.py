"""Where two losses' gradients oppose each other, each loses what opposes the other: projecting conflicting gradients.

For each i, and each other j in random order: if g_i . g_j < 0, then g_i loses its part along g_j, which is taken as it
was at first; the step is the sum of what is left (Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020,
https://arxiv.org/abs/2001.06782, Algorithm 1). Only parameters that several losses reach count. A widely used port
averages where the paper has the sum.
"""

from collections.abc import Sequence

import numpy as np
import torch

from mmfuse.balance.surgery import Surgery


class PCGrad(Surgery):
    def __init__(self, losses: Sequence[str], of: Sequence[str] = ("task/*",)):
        """`losses` are the names of those that there will be, `of` patterns of those to weigh; others count 1."""
        super().__init__(losses, of)

    def coefficients(self, products: np.ndarray) -> np.ndarray:
        return projected(products, [torch.randperm(len(products)).tolist() for _ in products]).sum(axis=0)


def projected(products: np.ndarray, orders: Sequence[Sequence[int]]) -> np.ndarray:
    """(K, K): each row says how much of each gradient is in the one that is left of the row's own.

    Of g_1 = (1, 0) and g_2 = (-1, 1) there are left (0.5, 0.5) and (0, 1).

    >>> projected(np.array([[1.0, -1.0], [-1.0, 2.0]]), [[1], [0]])
    array([[1. , 0.5],
           [1. , 1. ]])
    """
    left = np.eye(len(products))
    for i, order in enumerate(orders):
        for j in order:
            along = left[i] @ products[j]
            if j != i and along < 0 < products[j, j]:
                left[i, j] -= along / products[j, j]
    return left
