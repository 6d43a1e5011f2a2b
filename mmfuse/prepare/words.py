"""From text to numbers of words, characters or subwords, by the `tokenizers` library.

Unless told otherwise, case and accents are folded and Chinese characters are words. Subwords are found by byte-pair
encoding (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909). Number 0 is padding and 1 every word that the
training rows don't have often enough.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, models

from mmfuse.prepare.cutting import Cutting, spelled
from mmfuse.prepare.reading import read_each
from mmfuse.prepare.vocabulary import PADDING, UNKNOWN, trainer, untrained
from mmfuse.prepare.word_vectors import WordVectors
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
        vectors: str | None = None,
    ):
        """Words that come `min_count` times or more, the `max_words` most frequent; `max_length` words of each text.

        A text is cut into words, Chinese by `segment`; stop words go, stems or lemmas are taken; what is left is folded
        if `lowercase`, and numbered by its words, characters or subwords. Words that come already split are neither
        cut further nor left out, so that there is a step for each. `vectors` is a file that words have vectors in.
        """
        if vectors is not None and level == "subword":
            raise ValueError(f"vectors={vectors} are of words, but level=subword cuts them: level=word or character")
        self.vectors = None if vectors is None else WordVectors(vectors)
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
        self.cutting = Cutting(**{rule: value for rule, value in rules.items() if rule != "level"})

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
            words = [w for text in read for w in (text if isinstance(text, list) else self.cutting.cut(text))]
            whole = Tokenizer(models.WordLevel(unk_token=UNKNOWN))  # which cuts nothing
            folded = (tokenizer.normalizer.normalize_str(self.cutting.forms.form(word)) for word in words)
            whole.train_from_iterator([word for word in folded if word not in (PADDING, UNKNOWN)], learns)
            tokenizer.model = whole.model
        else:
            tokenizer.train_from_iterator([self.cutting.formed(text) for text in read if isinstance(text, str)], learns)
        tokenizer.enable_truncation(self.max_length)
        self.number_by(tokenizer)
        if self.vectors is not None:
            times = torch.bincount(self(raw).data, minlength=self.size)  # (size,)
            self.vectors.fit(tokenizer.get_vocab(), times.tolist())

    def parts(self) -> dict[str, Any]:
        return {} if self.vectors is None else {"vectors": self.vectors.table}

    def said(self) -> str:
        return "" if self.vectors is None else self.vectors.said()

    def __call__(self, raw: Sequence[Any]) -> Ragged:
        read = read_each(self.spelled, raw)
        texts = [self.cutting.formed(text) for text in read if isinstance(text, str)]
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
        text = spelled(text)
        if isinstance(text, list) and self.rules["level"] != "word":
            raise ValueError(f"its words are split already, which goes with level=word and not {self.rules['level']}")
        return text

    def number(self, word: str) -> int:
        if word not in self.numbers:
            folded = self.tokenizer.normalizer.normalize_str(self.cutting.forms.form(word))
            self.numbers[word] = max(1, self.tokenizer.token_to_id(folded) or 1)
        return self.numbers[word]

    def state(self) -> dict[str, Any]:
        tokenizer = json.loads(self.tokenizer.to_str())
        vectors = None if self.vectors is None else self.vectors.state()
        return {"tokenizer": tokenizer, "rules": self.rules, "max_length": self.max_length, "vectors": vectors}

    def restore(self, state: dict[str, Any]) -> None:
        self.follow(state["rules"])
        tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))
        tokenizer.encode_special_tokens = True  # which its state does not hold
        self.max_length = state["max_length"]
        self.number_by(tokenizer)
        known = state.get("vectors")  # a run of before there were any has none
        self.vectors = None if known is None else WordVectors.restored(known, self.size)
