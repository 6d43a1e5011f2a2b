"""The vectors that a vocabulary's words have in a file, and how many of them it has.

A word that the file lacks gets a random vector as long as the others are on the average (Kim, 2014,
https://arxiv.org/abs/1408.5882, section 3.1), the same one each time; padding gets zeros.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmfuse.errors import ConfigError, DataError
from mmfuse.prepare.vector_file import read_vectors
from mmfuse.prepare.vocabulary import PADDING, UNKNOWN


class WordVectors:
    table: Tensor  # (size, width): NaN once restored, until a run's own weights take their place

    def __init__(self, file: str, lacking: Sequence[int] = (), running: float = 0.0):
        """`lacking` are the numbers of words that are not in the file, `running` the share of running ones that are."""
        self.file = Path(file).expanduser().absolute()
        self.lacking, self.running = list(lacking), running

    def fit(self, vocabulary: Mapping[str, int], times: Sequence[int]) -> None:
        """`times` (size,) is how often each number comes in the training rows, the unknown word's among them."""
        numbers = {word: number for word, number in vocabulary.items() if word not in (PADDING, UNKNOWN)}
        if not self.file.is_file():
            raise ConfigError(f"vectors={self.file}: there is no such file\n  to go on: where it lies, or vectors=null")
        listed, made = read_vectors(self.file, numbers)
        if not listed:
            some = ", ".join(repr(word) for word in sorted(numbers, key=lambda w: -times[numbers[w]])[:3])
            raise DataError(
                f"vectors={self.file} has none of the {len(numbers):,} words of the training texts"
                f"{', such as ' * bool(some)}{some}\n"
                "  to go on: vectors of the texts' language; prepare.lowercase=false if the file's words have capitals"
            )
        known = np.stack(list(listed.values()))  # (words, width)
        dice = torch.Generator().manual_seed(0)
        self.table = float(known.std()) * torch.randn(len(vocabulary), known.shape[1], generator=dice)
        self.table[0] = 0.0
        for word, row in (listed | made).items():
            self.table[numbers[word]] = torch.from_numpy(row)
        self.lacking = sorted(number for word, number in numbers.items() if word not in listed)
        self.running = sum(times[numbers[word]] for word in listed) / max(1, sum(times))

    def said(self) -> str:
        words = len(self.table) - 2
        share = 100 * (1 - len(self.lacking) / words)
        return f"{share:.0f} % of {words:,} words have vectors ({100 * self.running:.0f} % of running words)"

    def state(self) -> dict[str, Any]:
        """Not the vectors: the encoder starts from them, so that they are among a run's weights."""
        width = self.table.shape[1]
        return {"file": str(self.file), "width": width, "lacking": self.lacking, "running": self.running}

    @classmethod
    def restored(cls, state: Mapping[str, Any], size: int) -> "WordVectors":
        """Without the file, which need not be there any more."""
        vectors = cls(state["file"], state["lacking"], state["running"])
        vectors.table = torch.full((size, state["width"]), torch.nan)
        return vectors
