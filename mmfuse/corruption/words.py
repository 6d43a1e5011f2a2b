"""Words that are missing from a text, here and there; it keeps the last of them.

A word is what stands between spaces, or a Chinese character or a kana. Of a text that comes already split, its words.
"""

import re
from typing import Any

import numpy as np

from mmfuse.corruption.corruption import Corruption

SIGN = "\u3040-\u30ff\u3400-\u9fff"  # hiragana, katakana, Chinese characters
PIECE = re.compile(rf"\s*(?:[{SIGN}]|[^\s{SIGN}]+)")  # a word and the space before it


class Words(Corruption):
    kinds = ("text",)
    unit = "share of words"
    levels = (0.0, 0.2, 0.4, 0.6, 0.8)
    most = 1.0

    def changed(self, value: Any, level: float, random: np.random.Generator) -> Any:
        pieces = PIECE.findall(value) if isinstance(value, str) else list(value)
        if not pieces:
            return value
        dice = random.random(len(pieces))
        stays = (dice >= level) | (np.arange(len(pieces)) == dice.argmax())
        kept = [piece for piece, here in zip(pieces, stays, strict=True) if here]
        return "".join(kept).strip() if isinstance(value, str) else kept
