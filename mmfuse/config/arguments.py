"""What was typed after `mmfuse train`: KEY=VALUE in Hydra's grammar, taken apart as far as checks need it."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmfuse.errors import ConfigError

WORD = re.compile(r"[\w.-]+(/[\w.-]+)*")
WORDS = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,:\[\]{}()='"]+""")
SWEEP = re.compile(r"(choice|range|interval|glob|shuffle|sort)\s*\(")


class Argument(NamedTuple):
    number: int  # counted from 1 among what was typed after the command
    sign: str  # "", "+", "++" or "~"
    key: str
    value: str  # as typed

    @property
    def place(self) -> str:
        return f"   (command line, argument {self.number})"

    @property
    def text(self) -> str:
        """As typed."""
        return f"{self.sign}{self.key}={self.value}"

    def names(self) -> list[str] | None:
        """Those of a list of plain words, [a,b], or of a single one; None where it is something else."""
        inside = self.value.strip().removeprefix("[").removesuffix("]").strip()
        words = [word.strip() for word in inside.split(",")] if inside else []
        return words if all(WORD.fullmatch(word) for word in words) and words != ["null"] else None

    def simple(self) -> tuple[bool, Any]:
        """Whether the value is a plain word or number, and which; lists and the like are left to Hydra."""
        if not WORD.fullmatch(self.value) and not re.fullmatch(r"[-+]?[\w.+-]+", self.value):
            return False, None
        if self.value.lower() in ("null", "true", "false"):
            return True, {"null": None, "true": True, "false": False}[self.value.lower()]
        for number in (int, float):
            try:
                return True, number(self.value)
            except ValueError:
                continue
        return True, self.value


def parse(typed: Sequence[str], many: bool = False, first: int = 1) -> list[Argument]:
    """`many`: a value may be several, as those of a sweep are. `first`: the number of the first."""
    found = []
    for number, text in enumerate(typed, start=first):
        match = re.fullmatch(r"(\+\+|\+|~)?([\w./@:-]+)(?:=(.*))?", text, re.DOTALL)
        if not match or (match[3] is None and match[1] != "~"):
            raise ConfigError(
                f"argument {number}, '{text}', is not KEY=VALUE\n  such as fusion=gated, or trainer.max_epochs=5"
            )
        argument = Argument(number, match[1] or "", match[2], match[3] or "")
        if not many and sweeps(argument.value):
            raise ConfigError(
                f"{text} names several values{argument.place}\n"
                "  one experiment takes one; many are a sweep: mmfuse sweep\n"
                f"  if it is one value that has commas, put it in brackets or quotes: '{argument.key}=[...]'"
            )
        found.append(argument)
    return found


def quoted(value: str) -> str:
    """With quotes about words that Hydra's grammar has no letters for: column names are in any language.

    >>> print(quoted("{a: {column: 图片}, b: '标签'}"))
    {a: {column: "图片"}, b: '标签'}
    """
    return WORDS.sub(lambda m: m[0] if m[0].isascii() or m[0][0] in "'\"" else f'"{m[0]}"', value)


def sweeps(value: str) -> bool:
    """Whether a comma stands outside brackets and quotes, or a sweep's function.

    >>> sweeps("a,b"), sweeps("[a,b]"), sweeps("{a: 1, b: 2}"), sweeps("'a,b'"), sweeps("range(1,3)")
    (True, False, False, False, True)
    """
    if SWEEP.match(value):
        return True
    depth, quote = 0, ""
    for mark in value:
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in "[{(":
            depth += 1
        elif mark in ")}]":
            depth -= 1
        elif mark == "," and not depth:
            return True
    return False
