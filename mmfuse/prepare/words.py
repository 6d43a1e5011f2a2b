"""From text to numbers of words, characters or subwords, by the `tokenizers` library.

Unless told otherwise, case and accents are folded and Chinese characters are words. Subwords are found by byte-pair
encoding (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909). Number 0 is padding and 1 every word that the
training rows don't have often enough.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from tokenizers import Tokenizer, models

from mmfuse.prepare.forms import Forms
from mmfuse.prepare.reading import read_each
from mmfuse.prepare.segment import jieba, segmented
from mmfuse.prepare.vocabulary import PADDING, UNKNOWN, cutter, trainer, untrained
from mmfuse.types import Preparation, Ragged


class Words(Preparation):
    def __init__(
        self,
        min_count: int = 2,
        max_length: int = 64,
        max_words: int = 50_000,
        lowercase: bool = True,
        level: Literal["word", "character", "subword"] = "word",
        segment: Literal["jieba"] | None = None,
        stop_words: Sequence[str] | None = None,
        stem: str | None = None,
        lemmatise: str | None = None,
    ):
        """Words that come `min_count` times or more, the `max_words` most frequent; `max_length` words of each text.

        A text is cut into words, Chinese by `segment`; stop words go, stems or lemmas are taken; what is left is folded
        if `lowercase`, and numbered by its words, characters or subwords. Words that come already split are neither
        cut further nor left out, so that there is a step for each.
        """
        if segment is not None:
            jieba()
        self.min_count, self.max_length, self.max_words = min_count, max_length, max_words
        self.follow(
            {
                "lowercase": lowercase,
                "level": level,
                "segment": segment,
                "stop_words": list(stop_words) if stop_words else None,
                "stem": stem,
                "lemmatise": lemmatise,
            }
        )
        self.number_by(untrained(level, lowercase, chinese=segment is None))

    def follow(self, rules: dict[str, Any]) -> None:
        self.rules = rules
        self.forms = Forms(rules["stop_words"], rules["stem"], rules["lemmatise"])
        self.cutter = cutter(chinese=rules["segment"] is None)
        self.chunks: dict[str, list[str]] = {}

    def number_by(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.size = tokenizer, tokenizer.get_vocab_size()
        self.numbers: dict[str, int] = {}  # of words that came already split

    def fit(self, raw: Sequence[Any]) -> None:
        """Each value is a text, or a list, tuple or array of its words, or None."""
        read = read_each(self.spelled, raw)
        level, lowercase = self.rules["level"], self.rules["lowercase"]
        split = any(isinstance(text, list) for text in read)
        tokenizer = untrained(level, lowercase, chinese=self.rules["segment"] is None and not split)
        learns = trainer(level, self.max_words, self.min_count)
        if split:
            words = [w for text in read for w in (text if isinstance(text, list) else self.cut(text))]
            whole = Tokenizer(models.WordLevel(unk_token=UNKNOWN))  # which cuts nothing
            folded = (tokenizer.normalizer.normalize_str(self.forms.form(word)) for word in words)
            whole.train_from_iterator([word for word in folded if word not in (PADDING, UNKNOWN)], learns)
            tokenizer.model = whole.model
        else:
            tokenizer.train_from_iterator([self.formed(text) for text in read if isinstance(text, str)], learns)
        tokenizer.enable_truncation(self.max_length)
        self.number_by(tokenizer)

    def __call__(self, raw: Sequence[Any]) -> Ragged:
        read = read_each(self.spelled, raw)
        texts = [self.formed(text) for text in read if isinstance(text, str)]
        encoded = iter(self.tokenizer.encode_batch_fast(texts))
        found = iter(
            [
                next(encoded).ids or [1]  # "..." is one unknown word
                if isinstance(text, str)
                else [self.number(word) for word in text[: self.max_length]]
                for text in read
            ]
        )
        words = [[] if text is None else next(found) for text in raw]
        lengths = torch.tensor([len(w) for w in words], dtype=torch.long)
        return Ragged(torch.tensor([number for w in words for number in w], dtype=torch.long), lengths)

    def spelled(self, text: Any) -> str | list[str]:
        """The same, or a `ValueError` that says why it is neither text nor words."""
        if isinstance(text, str):
            text.encode()  # half a surrogate pair is no character
            return text
        if not isinstance(text, list | tuple | np.ndarray):
            raise ValueError(f"it is a {type(text).__name__}, where text is needed")
        if self.rules["level"] != "word":
            raise ValueError(f"its words are split already, which goes with level=word and not {self.rules['level']}")
        for place, word in enumerate(text):
            if not isinstance(word, str):
                raise ValueError(f"{word!r} at place {place} is no word")
            word.encode()
        if not len(text):
            raise ValueError("it has no words")
        return list(text)

    def formed(self, text: str) -> str:
        """The text with its words' forms, spaces between them; the very text where nothing is to be done."""
        if self.forms:
            return " ".join(word for chunk in text.split(" ") for word in self.kept(chunk))
        return segmented(text) if self.rules["segment"] else text

    def kept(self, chunk: str) -> list[str]:
        """The forms of the words between two spaces, "(Houses," among them, most of which come often."""
        if chunk in self.chunks:
            return self.chunks[chunk]
        words = self.forms.kept(self.cut(chunk))
        if len(chunk) <= 40:  # a sentence without spaces hardly comes twice
            self.chunks[chunk] = words
        return words

    def cut(self, text: str) -> list[str]:
        text = segmented(text) if self.rules["segment"] else text
        clean = self.cutter.normalizer.normalize_str(text)
        return [word for word, _ in self.cutter.pre_tokenizer.pre_tokenize_str(clean)]

    def number(self, word: str) -> int:
        if word not in self.numbers:
            folded = self.tokenizer.normalizer.normalize_str(self.forms.form(word))
            self.numbers[word] = max(1, self.tokenizer.token_to_id(folded) or 1)
        return self.numbers[word]

    def state(self) -> dict[str, Any]:
        tokenizer = json.loads(self.tokenizer.to_str())
        return {"tokenizer": tokenizer, "rules": self.rules, "max_length": self.max_length}

    def restore(self, state: dict[str, Any]) -> None:
        self.follow(state["rules"])
        tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))
        tokenizer.encode_special_tokens = True  # which its state does not hold
        self.max_length = state["max_length"]
        self.number_by(tokenizer)
