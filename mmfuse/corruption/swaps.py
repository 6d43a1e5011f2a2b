"""Words in which two neighbouring letters have changed places, neither the first nor the last (Belinkov and Bisk,
Synthetic and Natural Noise Both Break Neural Machine Translation, 2018, https://arxiv.org/abs/1711.02173). They have
four letters or more."""

import re
from typing import Any

import numpy as np

from mmfuse.corruption.corruption import Corruption

LONG = re.compile(r"\w{4,}")


class Swaps(Corruption):
    kinds = ("text",)
    unit = "share of words of four letters or more"
    levels = (0.0, 0.25, 0.5, 1.0)
    most = 1.0

    def changed(self, value: Any, level: float, random: np.random.Generator) -> Any:
        def typed(found: re.Match[str]) -> str:
            chance, where = random.random(2)
            word = found[0]
            if chance >= level:
                return word
            place = 1 + int(where * (len(word) - 3))
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

        return LONG.sub(typed, value) if isinstance(value, str) else [LONG.sub(typed, str(word)) for word in value]
