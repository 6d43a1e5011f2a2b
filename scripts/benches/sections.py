"""The benchmark's sections, in the order they are run and told. Each is a module of its name here."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benches.row import Row

SECTIONS = (
    "vectors",
    "lengths",
    "pictures",
    "memory",
    "table",
    "encoding",
    "fusions",
    "cached",
    "mel",
    "zoo",
    "zoo_compiled",
    "steps",
    "balancers",
    "checkpoints",
    "multibench",
    "intervals",
    "contributions",
    "predict",
    "report",
    "compare",
    "sweeps",
    "stacks",
)
ASKED_FOR = ("zoo_compiled",)  # run only where they are named
QUICK: Mapping[str, Mapping[str, Any]] = {  # what a quick run takes, and of how much
    "vectors": {"n": 20_000},
    "lengths": {"n": 5_000},
    "zoo": {"names": ("concat", "lmf", "gated")},
    "steps": {"turns": 1},
    "multibench": {"share": 0.1, "turns": 1},
}


def rows(name: str, quick: bool) -> Iterator[Row]:
    yield from importlib.import_module(f"benches.{name}").rows(**QUICK[name] if quick else {})


def about(name: str) -> str:
    """What the section says of itself; told without importing it."""
    text = Path(__file__).with_name(f"{name}.py").read_text()
    return ast.get_docstring(ast.parse(text)) or ""
