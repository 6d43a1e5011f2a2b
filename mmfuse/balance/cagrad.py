"""The step near the gradients' mean that serves best the loss that it serves worst: conflict-averse gradient descent.

max over d of min_i g_i . d, where |d - g_0| <= c |g_0| and g_0 is the mean of the gradients. Its dual is the least
g_w . g_0 + c |g_0| |g_w| over g_w = sum w_i g_i, w_i >= 0, sum w_i = 1, and then d = g_0 + c |g_0| / |g_w| g_w (Liu et
al., Conflict-Averse Gradient Descent for Multi-task Learning, NeurIPS 2021, https://arxiv.org/abs/2110.14048). The step
is K d, so that c = 0 is the plain sum; published code also divides by 1 + c^2. Only parameters that several losses
reach count.
"""

from collections.abc import Sequence

import numpy as np

from mmfuse.balance.surgery import Surgery


class CAGrad(Surgery):
    def __init__(self, losses: Sequence[str], c: float = 0.4, of: Sequence[str] = ("task/*",)):
        """`losses` are the names of those that there will be, `of` patterns of those to weigh; others count 1."""
        super().__init__(losses, of)
        if not 0 <= c < 1:
            raise ValueError(f"c={c}: from 0 up to, but not, 1 is needed, or losses need not fall")
        self.c = c

    def coefficients(self, products: np.ndarray) -> np.ndarray:
        return averse(products, self.c)


def averse(products: np.ndarray, c: float) -> np.ndarray:
    """How much of each gradient is in the step, (K,), by the gradients' inner products, (K, K).

    Of (1, 0) and (-1, 1) the first is served worse: d = (0, 0.5) + c (0.5, 0).

    >>> averse(np.array([[1.0, -1.0], [-1.0, 2.0]]), c=0.4).round(6)
    array([1.4, 1. ])
    """
    from scipy.optimize import minimize

    k = len(products)
    size = np.trace(products) / k
    if c == 0 or size <= 0:
        return np.ones(k)
    products = products / size
    along, radius = products.mean(axis=1), c * np.sqrt(max(products.mean(), 0.0))  # g_i . g_0 and c |g_0|

    def dual(w: np.ndarray) -> tuple[float, np.ndarray]:
        length = np.sqrt(max(w @ products @ w, 0.0) + 1e-12)
        return w @ along + radius * length, along + radius * (products @ w) / length

    even = np.full(k, 1 / k)
    simplex = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
    w = minimize(dual, even, jac=True, bounds=[(0, 1)] * k, constraints=simplex, tol=1e-10).x
    length = np.sqrt(max(w @ products @ w, 0.0))
    return 1 + k * radius / length * w if length > 1e-6 else np.ones(k)
