"""Numbers by which modules that are built alike differ: a rate of dropout, a loss's weight, a temperature.

Where many lanes go through one of them together, such a number is a tensor with one for each lane.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

PLAIN = (bool, int, str, tuple, list, type(None))
OWN = ("training", "_parameters", "_buffers", "_modules", "_is_full_backward_hook")


class UnstackableError(Exception):
    """Why runs cannot go through one model together."""


class Number(NamedTuple):
    module: str
    name: str
    key: str | None  # of a dict; None: the attribute itself
    values: tuple[float, ...]  # one of each lane


def numbers(each: Sequence[nn.Module]) -> list[Number]:
    """`UnstackableError` where modules differ in anything but floats."""
    found = list[Number]()
    for parts in zip(*(module.named_modules() for module in each), strict=True):
        place = parts[0][0]
        known = [vars(part) for _, part in parts]
        for name, first in known[0].items():
            if name not in OWN:
                found += differing(place, name, first, [about.get(name) for about in known])
    return found


def differing(place: str, name: str, first: Any, values: Sequence[Any]) -> Iterator[Number]:
    if isinstance(first, float) and all(isinstance(value, float) for value in values):
        if len(set(values)) > 1:
            yield Number(place, name, None, tuple(values))
    elif isinstance(first, dict) and all(isinstance(value, float) for value in first.values()):
        for key in first:
            each = [value.get(key) for value in values]
            if any(value != first[key] for value in each):
                yield Number(place, name, key, tuple(float(value) for value in each))
    elif isinstance(first, PLAIN) and any(value != first for value in values):
        raise UnstackableError(f"{name} of {place} is {first} in one run and not in another")


@contextmanager
def put(module: nn.Module, about: Sequence[Number], values: Sequence[Tensor]) -> Iterator[None]:
    """Within, these numbers are tensors."""
    before = list[tuple[dict[str, Any], str, Any]]()
    try:
        for number, value in zip(about, values, strict=True):
            part = module.get_submodule(number.module)
            holder, name = (vars(part), number.name) if number.key is None else (vars(part)[number.name], number.key)
            before.append((holder, name, holder[name]))
            holder[name] = value
        yield
    finally:
        for holder, name, value in reversed(before):
            holder[name] = value


def tensors(about: Sequence[Number]) -> list[Tensor]:
    """(K,) each."""
    return [torch.tensor(number.values) for number in about]


def changed(before: Mapping[str, Tensor], module: nn.Module) -> list[str]:
    """Buffers that are others now."""
    return [name for name, buffer in module.named_buffers() if not torch.equal(buffer, before[name])]
