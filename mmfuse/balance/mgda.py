"""The shortest combination of the losses' gradients, along which none of them rises: multiple gradient descent.

min over a of |sum a_i g_i|, a_i >= 0, sum a_i = 1 (Désidéri, 2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener
and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, https://arxiv.org/abs/1810.04650, over
the parameters that several losses reach). They iterate by Frank and Wolfe; here non-negative least squares finds the
point itself: the u >= 0 that makes |sum u_i g_i|^2 + (sum u_i - 1)^2 least is a times a number. Where the gradients
cancel, the losses are at a Pareto point, and the step is 0.
"""

from collections.abc import Sequence

import numpy as np

from mmfuse.balance.surgery import Surgery


class MGDA(Surgery):
    def __init__(self, losses: Sequence[str], of: Sequence[str] = ("task/*",)):
        """`losses` are the names of those that there will be, `of` patterns of those to weigh; others count 1."""
        super().__init__(losses, of)

    def coefficients(self, products: np.ndarray) -> np.ndarray:
        return shortest(products)


def shortest(products: np.ndarray) -> np.ndarray:
    """Shares, (K,), by the gradients' inner products, (K, K). Of (1, 0) and (-1, 1) they are 0.6 and 0.4.

    >>> shortest(np.array([[1.0, -1.0], [-1.0, 2.0]])).round(6)
    array([0.6, 0.4])
    """
    from scipy.optimize import nnls

    size = np.trace(products) / len(products)
    if size <= 0:
        return np.full(len(products), 1 / len(products))
    values, vectors = np.linalg.eigh(products / size)
    root = np.sqrt(values.clip(min=0))[:, None] * vectors.T  # (K, K): root.T @ root are the products
    found, _ = nnls(np.vstack([root, np.ones(len(root))]), np.append(np.zeros(len(root)), 1.0))
    return found / found.sum()
