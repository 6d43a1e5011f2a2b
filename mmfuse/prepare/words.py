"""From text to word numbers, by the `tokenizers` library. Case and accents are folded; Chinese characters are words.

Number 0 is padding and 1 every word that the training rows don't have often enough.
"""

import json
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from mmfuse.types import Preparation, Ragged


class Words(Preparation):
    def __init__(self, min_count: int = 2, max_length: int = 64, max_words: int = 50_000):
        """Words that come `min_count` times or more, the `max_words` most frequent; `max_length` words of each text."""
        self.min_count, self.max_length, self.max_words = min_count, max_length, max_words
        self.tokenizer = Tokenizer(models.WordLevel(vocab={"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
        self.tokenizer.encode_special_tokens = True  # a text that spells "[PAD]" is text
        self.size = 2

    def fit(self, raw: Sequence[str | None]) -> None:
        self.tokenizer.normalizer = normalizers.BertNormalizer(handle_chinese_chars=True, lowercase=True)
        self.tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self.tokenizer.train_from_iterator(
            [text for text in raw if text is not None],
            trainers.WordLevelTrainer(
                vocab_size=self.max_words,
                min_frequency=self.min_count,
                special_tokens=["[PAD]", "[UNK]"],
                show_progress=False,
            ),
        )
        self.tokenizer.enable_truncation(self.max_length)
        self.size = self.tokenizer.get_vocab_size()

    def __call__(self, raw: Sequence[str | None]) -> Ragged:
        encoded = iter(self.tokenizer.encode_batch_fast([text for text in raw if text is not None]))
        words = [[] if text is None else next(encoded).ids or [1] for text in raw]  # "..." is one unknown word
        lengths = torch.tensor([len(w) for w in words])
        return Ragged(torch.tensor([number for w in words for number in w], dtype=torch.long), lengths)

    def state(self) -> dict[str, Any]:
        return {"tokenizer": json.loads(self.tokenizer.to_str())}

    def restore(self, state: dict[str, Any]) -> None:
        self.tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))
        self.tokenizer.encode_special_tokens = True  # which its state does not hold
        self.size = self.tokenizer.get_vocab_size()
