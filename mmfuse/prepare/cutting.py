"""How a text is cut into words, and what becomes of each before it is counted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmfuse.prepare.forms import Forms
from mmfuse.prepare.segment import jieba, segmented
from mmfuse.prepare.vocabulary import cutter, untrained


class Cutting:
    def __init__(
        self,
        lowercase: bool = True,
        segment: str | None = None,
        stop_words: Sequence[str] | None = None,
        stem: str | None = None,
        lemmatise: str | None = None,
    ):
        """Chinese by `segment`; then stop words go, stems or lemmas are taken, and case and accents are folded."""
        if segment is not None:
            jieba()
        self.segment = segment
        self.forms = Forms(stop_words, stem, lemmatise)
        self.cutter = cutter(chinese=segment is None)
        self.folding = untrained("word", lowercase, chinese=segment is None)
        self.chunks: dict[str, list[str]] = {}

    def words(self, text: str | list[str]) -> list[str]:
        """All words of a text; those of one that comes already split are neither cut further nor left out."""
        fold = self.folding.normalizer.normalize_str
        if isinstance(text, list):
            return [fold(self.forms.form(word)) for word in text]
        return [word for word, _ in self.folding.pre_tokenizer.pre_tokenize_str(fold(self.formed(text)))]

    def formed(self, text: str) -> str:
        """The text with its words' forms, spaces between them; the very text where nothing is to be done."""
        if self.forms:
            return " ".join(word for chunk in text.split(" ") for word in self.kept(chunk))
        return segmented(text) if self.segment else text

    def kept(self, chunk: str) -> list[str]:
        """The forms of the words between two spaces, "(Houses," among them, most of which come often."""
        if chunk in self.chunks:
            return self.chunks[chunk]
        words = self.forms.kept(self.cut(chunk))
        if len(chunk) <= 40:  # a sentence without spaces hardly comes twice
            self.chunks[chunk] = words
        return words

    def cut(self, text: str) -> list[str]:
        """Its words with case and accents as they were."""
        text = segmented(text) if self.segment else text
        clean = self.cutter.normalizer.normalize_str(text)
        return [word for word, _ in self.cutter.pre_tokenizer.pre_tokenize_str(clean)]


def spelled(text: Any) -> str | list[str]:
    """The same, or a `ValueError` that says why it is neither text nor words."""
    if isinstance(text, str):
        text.encode()  # half a surrogate pair is no character
        return text
    if not isinstance(text, list | tuple | np.ndarray):
        raise ValueError(f"it is a {type(text).__name__}, where text is needed")
    for place, word in enumerate(text):
        if not isinstance(word, str):
            raise ValueError(f"{word!r} at place {place} is no word")
        word.encode()
    if not len(text):
        raise ValueError("it has no words")
    return list(text)
