"""What spoils a modality's values on purpose, more or less, so that one sees how a trained model bears it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np


class Corruption(ABC):
    """Works on one row's value as its preparation opens it: pixels, samples, features, cells, text.

    A row's random numbers do not depend on the level: more of it is the same noise louder, or the same words gone and
    others besides. What is missing stays missing, and the level `nothing` gives back the very value.
    """

    kinds: ClassVar[tuple[str, ...]]  # of modality that it is for
    unit: ClassVar[str]  # of its levels
    levels: ClassVar[tuple[float, ...]]  # unless others are asked for: ever stronger, the first changes nothing
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = math.inf
    nothing: ClassVar[float] = 0.0  # the level at which all stays as it is
    by_chance: ClassVar[bool] = True  # whether random numbers have a hand in it

    @classmethod
    def of(cls, spread: Any) -> "Corruption":
        """For a modality whose preparation tells of this `spread` of its features (`Preparation.spread`)."""
        return cls()

    def __call__(self, value: Any, level: float, random: np.random.Generator) -> Any:
        return value if value is None or level == self.nothing else self.changed(value, level, random)

    @abstractmethod
    def changed(self, value: Any, level: float, random: np.random.Generator) -> Any:
        """The value spoiled; what it was is left alone."""

    @classmethod
    def curve(cls, levels: Sequence[float]) -> tuple[float, ...]:
        """The levels in order of strength, from the one that changes nothing, each once.

        `ValueError` where there is no such level, or only the one that changes nothing.
        """
        for level in levels:
            if level != level or (level != cls.nothing and not cls.least <= level <= cls.most):
                raise ValueError(f"{level:g}: {cls.bounds()} ({cls.unit})")
        others = sorted({level for level in levels if level != cls.nothing}, key=cls.strength)
        if not others:
            raise ValueError(f"a level besides {cls.nothing:g} is needed ({cls.unit})")
        return (cls.nothing, *others)

    @classmethod
    def bounds(cls) -> str:
        if cls.most < math.inf:
            return f"a level from {cls.least:g} to {cls.most:g} is needed"
        return f"a level of {cls.least:g} or more is needed" if cls.least > -math.inf else "a number is needed"

    @classmethod
    def strength(cls, level: float) -> float:
        return level

    @classmethod
    def axis(cls, levels: Sequence[float]) -> list[float]:
        """Where the levels stand on a curve whose area is taken."""
        return list(levels)
