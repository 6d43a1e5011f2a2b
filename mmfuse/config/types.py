"""What a key accepts: read off its target's annotation, its yaml comment, or its default. Nothing is imported."""

import ast
import operator
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

WORDS: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "null": None,
    "None": None,
}
CONTAINERS = {"Sequence": "list", "Collection": "list", "tuple": "list", "Iterable": "list", "Mapping": "dict"}


class Type(NamedTuple):
    names: tuple[str, ...]  # of WORDS; empty: anything
    choices: tuple[Any, ...] = ()
    item: "Type | None" = None  # of a list's elements
    bounds: tuple[tuple[str, float], ...] = ()  # of a number, such as (">=", 1)

    def accepts(self, value: Any) -> bool:
        return self.fits(value) and self.within_bounds(value)

    def within_bounds(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        return all(COMPARE[sign](value, bound) for sign, bound in self.bounds)

    def fits(self, value: Any) -> bool:
        if not self.names and not self.choices:
            return True
        if value in self.choices and type(value) in map(type, self.choices):
            return True
        for name in self.names:
            if name == "null" and value is None:
                return True
            if name == "float" and isinstance(value, int | float) and not isinstance(value, bool):
                return True
            if name == "int" and isinstance(value, int) and not isinstance(value, bool):
                return True
            if name == "list" and isinstance(value, Sequence) and not isinstance(value, str):
                return self.item is None or all(self.item.accepts(v) for v in value)
            if name in ("str", "bool", "dict") and isinstance(value, WORDS[name]):
                return True
        return False

    def __str__(self) -> str:
        item = f"[{self.item}]" if self.item and self.item != ANYTHING else ""
        names = (n + item if n == "list" else n for n in self.names if n != "null")
        bounds = "".join(f" {sign} {bound:g}" for sign, bound in self.bounds)
        return (" | ".join([*map(str, self.choices), *names]) or "anything") + bounds


COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
BOUND = r"(>=|<=|>|<)\s*(-?[\d.]+)"
ANYTHING = Type(())


def of_default(value: Any) -> Type:
    """
    >>> str(of_default(0.5)), str(of_default([1])), str(of_default(None))
    ('float', 'list[int]', 'anything')
    """
    if value is None:
        return ANYTHING
    if isinstance(value, list):
        items = {of_default(v) for v in value}
        return Type(("list",), item=items.pop() if len(items) == 1 else None)
    return Type((type(value).__name__,)) if type(value).__name__ in WORDS else ANYTHING


def of_comment(comment: str, default: Any) -> Type | None:
    """A comment may open with a type, `# int | str: ...`, with bounds, `# int >= 1: ...`, or the choices there are.

    >>> of_comment("strict | mask: what to do", "strict").choices
    ('strict', 'mask')
    >>> of_comment("int: how many; null: all", None).accepts(3.5)
    False
    >>> of_comment("list[int]: one each", None).accepts([1, "x"])
    False
    >>> of_comment("float >= 0 < 1: a share", 0.5).accepts(1.0)
    False
    >>> of_comment("of initial weights", 0) is None
    True
    """
    head = comment.partition(":")[0] if ":" in comment else ""
    bounds = tuple((sign, float(bound)) for sign, bound in re.findall(BOUND, head))
    words = [w.strip() for w in re.sub(BOUND, "", head).split("|")]
    if not all(re.fullmatch(r"[\w-]+|list\[\w+\]", w) for w in words):
        return None
    types = [of_annotation(w) for w in words if w.split("[")[0] in WORDS]
    choices = tuple(w for w in words if w.split("[")[0] not in WORDS)
    if choices and len(words) == 1:
        return None  # an ordinary word with a colon
    names = [name for t in types for name in t.names] + (["null"] if default is None else [])
    return Type(tuple(names), choices, next((t.item for t in types if t.item), None), bounds)


def of_annotation(text: str) -> Type:
    """
    >>> of_annotation("int | None").accepts(None), of_annotation("Sequence[int]").accepts(["a"])
    (True, False)
    >>> of_annotation('Literal["raw", "projected"]').choices
    ('raw', 'projected')
    """
    return of_node(ast.parse(text, mode="eval").body)


def of_node(node: ast.expr) -> Type:
    if isinstance(node, ast.BinOp):
        left, right = of_node(node.left), of_node(node.right)
        if ANYTHING in (left, right):
            return ANYTHING
        return Type(left.names + right.names, left.choices + right.choices, left.item or right.item)
    if isinstance(node, ast.Constant) and node.value is None:
        return Type(("null",))
    if isinstance(node, ast.Name):
        name = CONTAINERS.get(node.id, node.id)
        return Type((name,)) if name in WORDS else ANYTHING
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        name = CONTAINERS.get(node.value.id, node.value.id)
        if name == "Literal":
            choices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return Type((), tuple(c.value for c in choices if isinstance(c, ast.Constant)))
        if name == "list":
            item = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            return Type(("list",), item=of_node(item))
        return Type((name,)) if name in WORDS else ANYTHING
    return ANYTHING
