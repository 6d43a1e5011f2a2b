"""What is taken for what, and why."""

import re
from collections.abc import Collection
from typing import Any, Literal, NamedTuple

Role = Literal["id", "split", "group", "modality", "tabular", "task", "used", "left out"]

# Parts of a model have their own names among the modalities'.
TAKEN = ("fusion", "heads", "objectives", "balance")


class Guess(NamedTuple):
    source: str  # a column, or FILE:KEY of an array
    role: Role
    why: str
    kind: str = ""
    about: dict[str, Any] = {}  # the keys of a modality or a task besides its kind
    groups: bool = False  # whether its rows of one value may be more alike than others


def identifier(name: str, otherwise: str) -> str:
    """
    >>> identifier("Review text", "text"), identifier("3d", "vector"), identifier("评论", "text")
    ('Review_text', 'vector_3d', 'text')
    """
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return plain if plain.isidentifier() else f"{otherwise}_{plain}".rstrip("_")


def free(name: str, kind: str, taken: Collection[str]) -> str:
    """The name, or one like it that nobody has.

    >>> free("text", "vector", ["text"]), free("text", "vector", ["text", "text_vector"]), free("a", "text", [])
    ('text_vector', 'text_vector_2', 'a')
    """
    if name not in taken:
        return name
    names = [f"{name}_{kind}", *(f"{name}_{kind}_{k}" for k in range(2, len(taken) + 3))]
    return next(n for n in names if n not in taken)
