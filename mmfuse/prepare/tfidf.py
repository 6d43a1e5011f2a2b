"""Terms and their weights, by scikit-learn's TfidfVectorizer fitted on the training rows.

Spärck Jones, A statistical interpretation of term specificity, 1972, https://doi.org/10.1108/eb026526. The weight of a
term is how often it comes in a text, times ln((1 + n) / (1 + df)) + 1 for the df of n training texts that have it; a
text's weights are then divided by their norm. A step is a term of the text and its weight, so that nothing is as long
as the vocabulary but the encoder's table.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from mmfuse.errors import DataError
from mmfuse.prepare.cutting import Cutting, spelled
from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged

MOST = 2**24  # terms whose numbers a float32 can tell apart


class Tfidf(Preparation):
    def __init__(
        self,
        ngrams: int = 1,
        min_count: int = 2,
        max_words: int = 50_000,
        sublinear: bool = False,
        lowercase: bool = True,
        segment: Literal["jieba"] | None = None,
        stop_words: Sequence[str] | None = None,
        stem: str | None = None,
        lemmatise: str | None = None,
    ):
        """Terms of up to `ngrams` words that `min_count` texts or more have, the `max_words` most frequent.

        Words are cut as `Words` cuts them. `sublinear` takes 1 + ln(how often) for how often a term comes.
        """
        if max_words > MOST:
            raise ValueError(f"max_words={max_words}: {MOST} at most")
        self.min_count, self.max_words = min_count, max_words
        rules: dict[str, Any] = {"lowercase": lowercase, "segment": segment, "stem": stem, "lemmatise": lemmatise}
        rules |= {"stop_words": list(stop_words) if stop_words else None, "ngrams": ngrams, "sublinear": sublinear}
        self.follow(rules)

    def follow(self, rules: dict[str, Any]) -> None:
        self.rules, self.size = rules, 0
        self.cutting = Cutting(**{rule: v for rule, v in rules.items() if rule not in ("ngrams", "sublinear")})

    def terms(self, text: str | list[str]) -> list[str]:
        """Its words, its pairs of neighbours and so on, as scikit-learn writes them."""
        words = self.cutting.words(text)
        lengths = range(1, self.rules["ngrams"] + 1)
        return [" ".join(words[i : i + n]) for n in lengths for i in range(len(words) - n + 1)]

    def fit(self, raw: Sequence[Any]) -> None:
        """Each value is a text, or a list, tuple or array of its words, or None."""
        read = read_each(spelled, raw)
        self.vectorizer = TfidfVectorizer(
            analyzer=self.terms,
            min_df=min(self.min_count, max(1, len(read))),
            max_features=self.max_words,
            sublinear_tf=self.rules["sublinear"],
        )
        try:
            self.vectorizer.fit(read)
        except ValueError as error:
            raise DataError(
                f"no term comes in {self.min_count} or more of the {len(read)} training texts\n"
                "  to go on: a smaller prepare.min_count, or fewer prepare.stop_words"
            ) from error
        self.size = len(self.vectorizer.vocabulary_)

    def __call__(self, raw: Sequence[Any]) -> Ragged:
        """A term's number and its weight a step, (S, 2); (0, 0.0) alone for a text without any known term."""
        read = read_each(spelled, raw)
        there = torch.tensor([text is not None for text in raw], dtype=torch.bool)  # (N,)
        lengths = torch.zeros(len(raw), dtype=torch.long)
        if not read:
            return Ragged(torch.empty(0, 2), lengths)
        weights = self.vectorizer.transform(read)  # (texts, size), sparse
        weights.sort_indices()
        pairs = np.stack([weights.indices, weights.data], axis=1).astype(np.float32)  # (terms, 2)
        found = np.diff(weights.indptr)  # (texts,) terms of each
        pairs = np.insert(pairs, weights.indptr[:-1][found == 0], 0.0, axis=0)  # (S, 2)
        lengths[there] = torch.from_numpy(np.maximum(found, 1)).long()
        return Ragged(torch.from_numpy(pairs), lengths)

    def state(self) -> dict[str, Any]:
        terms = self.vectorizer.get_feature_names_out().tolist()
        return {"rules": self.rules, "terms": terms, "idf": self.vectorizer.idf_.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        self.follow(state["rules"])
        known = {term: number for number, term in enumerate(state["terms"])}
        self.vectorizer = TfidfVectorizer(analyzer=self.terms, vocabulary=known, sublinear_tf=self.rules["sublinear"])
        self.vectorizer.idf_ = np.array(state["idf"])
        self.size = len(known)
