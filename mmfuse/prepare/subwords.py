"""From text to the subwords of a pretrained model, by its own tokenizer (Hugging Face transformers)."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch

from mmfuse import hub
from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged


class Subwords(Preparation):
    def __init__(self, model: str, max_length: int = 128):
        """`model` is a folder or a name on the hub; `max_length` subwords of each text, its special ones among them."""
        self.model, self.max_length = model, max_length
        self.size = 0
        self.open()

    def open(self) -> None:
        from transformers import AutoTokenizer  # seconds, for those who use it

        tokenizer: Any = hub.load(AutoTokenizer, self.model, "tokenizer")
        if len(tokenizer.get_vocab()) <= len(tokenizer.all_special_tokens):
            raise ValueError(f"model={self.model}: its tokenizer has no words\n  there has to be a tokenizer.json")
        if self.max_length <= (special := tokenizer.num_special_tokens_to_add()):  # it would cut nothing, or all
            raise ValueError(
                f"max_length={self.max_length}: {special} of them are special ones of its tokenizer"
                f"\n  to go on: max_length={special + 1} at least"
            )
        self.tokenizer, self.size = tokenizer, len(tokenizer)
        self.longest = min(self.max_length, tokenizer.model_max_length)

    def fit(self, raw: Sequence[Any]) -> None:
        """Nothing is learned from the training rows."""

    def __call__(self, raw: Sequence[Any]) -> Ragged:
        texts = read_each(spelled, raw)
        found = iter(self.tokenizer(texts, truncation=True, max_length=self.longest)["input_ids"] if texts else [])
        each = [[] if text is None else next(found) or [self.tokenizer.unk_token_id or 0] for text in raw]
        lengths = torch.tensor([len(numbers) for numbers in each], dtype=torch.long)
        return Ragged(torch.tensor([n for numbers in each for n in numbers], dtype=torch.long), lengths)

    def state(self) -> dict[str, Any]:
        known = {"longest": self.longest, "tokenizer": digest(self.tokenizer)}
        return {"model": self.model, "max_length": self.max_length} | known

    def restore(self, state: dict[str, Any]) -> None:
        self.model, self.max_length = state["model"], state["max_length"]
        self.open()


def digest(tokenizer: Any) -> str:
    """A number for all that it knows, so that another of the same name is told from it."""
    if not tokenizer.is_fast:
        return hashlib.blake2b(str(tokenizer.get_vocab()).encode(), digest_size=16).hexdigest()
    known = json.loads(tokenizer.backend_tokenizer.to_str())
    known |= {"truncation": None, "padding": None}  # which each call may change
    return hashlib.blake2b(json.dumps(known, sort_keys=True).encode(), digest_size=16).hexdigest()


def spelled(text: Any) -> str:
    """The text, or a `ValueError` that says why it is none."""
    if not isinstance(text, str):
        raise ValueError(
            f"it is a {type(text).__name__}, where text is needed; words that come split are for other encoders"
        )
    text.encode()  # half a surrogate pair is no character
    return text
