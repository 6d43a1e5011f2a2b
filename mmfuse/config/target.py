"""What a `_target_` takes and says of itself, read from its source without importing it."""

import ast
import re
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mmfuse.config.types import ANYTHING, Type, of_annotation
from mmfuse.errors import ConfigError

PARTS = "data|encoders|prepare|augment|completion|fusion|models|objectives|balance|schedules|imbalance|trackers"
ALLOWED = (  # classes by their public names: no way through a module to something that it imports
    rf"mmfuse\.({PARTS})(\.\w+)*\.[A-Z]\w*",
    r"torch\.optim\.[A-Z]\w*",
    r"torch\.optim\.lr_scheduler\.[A-Z]\w*",
    r"pytorch_lightning\.Trainer",
    r"pytorch_lightning\.(callbacks|loggers)\.[A-Z]\w*",
)


class Target(NamedTuple):
    doc: str
    parameters: dict[str, Type]
    required: frozenset[str]


def check_allowed(target: str, where: str, allow: Collection[str]) -> None:
    """A config may name mmfuse's own parts and a few of torch's and Lightning's; others, who the user trusts."""
    if any(re.fullmatch(pattern, target) for pattern in ALLOWED):
        if target.startswith("mmfuse.") and read(target) is None:
            raise ConfigError(f"{where}._target_: there is no {target}")
        return
    package = target.split(".")[0]
    if package in allow and re.fullmatch(r"\w+(\.\w+)+", target):
        return
    raise ConfigError(
        f"{where}._target_: '{target}' is not one of mmfuse's parts, and a config must not run what is not allowed"
        + ("" if package in ("mmfuse", "torch", "pytorch_lightning") else f"\n  if it is yours: --allow {package}")
    )


@cache
def prose(docstring: str | None) -> str:
    """What a docstring says besides examples.

    >>> prose("Adds up.\\n\\n>>> 1 + 1"), prose(None)
    ('Adds up.', '')
    """
    kept = re.split(r"^\s*>>> ", docstring or "", maxsplit=1, flags=re.MULTILINE)[0]
    return kept.strip()


def read(target: str) -> Target | None:
    """None where no class or function of that name is defined in the module's own source."""
    module, _, name = target.rpartition(".")
    file = source(module)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if getattr(node, "name", None) == name and isinstance(node, ast.ClassDef | ast.FunctionDef):
            doc = prose(ast.get_docstring(node)) or prose(ast.get_docstring(tree))
            init = node if isinstance(node, ast.FunctionDef) else constructor(node)
            if init is None:
                return Target(doc, {}, frozenset())
            arguments = [*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs]
            arguments = arguments if isinstance(node, ast.FunctionDef) else arguments[1:]
            without = len(init.args.posonlyargs + init.args.args) - len(init.args.defaults)
            required = [a.arg for a in (init.args.posonlyargs + init.args.args)[:without]]
            required += [a.arg for a, d in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True) if d is None]
            return Target(
                doc,
                {a.arg: of_annotation(ast.unparse(a.annotation)) if a.annotation else ANYTHING for a in arguments},
                frozenset(required) - {"self"},
            )
    return None


def constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return item
    return None


def source(module: str) -> Path | None:
    """A module's file. Only its top package is looked up, which runs none of its code."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or ():
        place = Path(location, *rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.exists():
                return file
    return None
