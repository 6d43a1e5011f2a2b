"""Texts of mixed lengths for a frozen MiniLM: words that are one subword each, most texts short."""

from pathlib import Path

import numpy as np

from mmfuse import hub

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def mixed_texts(n: int, mean: float = 2.6) -> list[str]:
    """Words that are one subword each, 1 to 126 of them (with the first and the last, 3 to 128), most texts short."""
    random = np.random.default_rng(0)
    listed = (Path(hub.located(MINILM)) / "vocab.txt").read_text(encoding="utf-8").split()
    words = np.array([word for word in listed if word.isascii() and word.isalpha() and len(word) > 2])
    lengths = (random.lognormal(mean, 0.9, n) - 2).clip(1, 126).astype(int)
    return [" ".join(words[random.integers(0, len(words), length)]) for length in lengths]
