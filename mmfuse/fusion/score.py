"""How much each of many vectors counts, from itself alone: w . tanh(V h + c). Parameters: (dim + 2) * hidden."""

from torch import nn


class Score(nn.Sequential):
    """(B, N, D) -> (B, N)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False), nn.Flatten(-2))
