"""Reads pickles of numpy arrays and plain containers, and refuses every other: a pickle can run code.

A pickle names what is to be called while it is read. Here it may name only what arrays, their scalars, strings and
plain containers are made of, and numpy's own ways of making them are replaced by ones that check what they are given:
numpy takes a type's flags and an array's pointers as a pickle states them
(https://docs.python.org/3/library/pickle.html#restricting-globals, https://numpy.org/doc/stable/reference/security.html).
"""

import _codecs
import builtins
import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.errors import DataError

KINDS = "biufcSUO"  # of numpy types: numbers, strings and objects; none with fields
CONTAINERS = ("set", "frozenset", "slice", "complex", "bytes", "bytearray")
BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    ValueError,
    TypeError,
    OverflowError,
    ImportError,
    MemoryError,
)


class RefusedError(pickle.UnpicklingError):
    """Something in the pickle that is neither an array nor a plain container."""


class ArrayType:
    """A numpy type while its pickle is read."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True):
        self.dtype = plain(np.dtype(code)) if isinstance(code, str) else refuse(f"the type {code!r}")

    def __setstate__(self, state: Any) -> None:
        _, order, subtype, names, fields = state[:5]
        if subtype is not None or names is not None or fields is not None:
            refuse("an array with fields")
        self.dtype = self.dtype if order == "|" else self.dtype.newbyteorder(order)


class Array(np.ndarray):
    """An array while its pickle is read, and afterwards: `np.asarray` makes a plain one of it."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        size = size_of(shape)
        if not isinstance(kind, ArrayType):
            refuse(f"an array of {kind!r}")
        as_objects = kind.dtype.kind == "O"
        if isinstance(content, str):  # of Python 2
            content = content.encode("latin1")
        if not isinstance(content, list if as_objects else bytes | bytearray):
            refuse("an array whose content is of another kind than its type")
        if len(content) != (size if as_objects else size * kind.dtype.itemsize):
            refuse("an array of another size than its content")
        checked: Any = (1, shape, kind.dtype, bool(fortran), content if as_objects else bytes(content))
        super().__setstate__(checked)


class Maker:
    """What a pickle may call instead of numpy's own function; it cannot change it."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[..., Any]):
        self.make = make

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments)

    def __setstate__(self, state: Any) -> None:
        refuse("a changed function")


def refuse(what: str) -> Any:
    raise RefusedError(what)


def plain(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind in KINDS and dtype.names is None else refuse(f"an array of {dtype}")


def size_of(shape: Any) -> int:
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        refuse(f"an array of the shape {shape!r}")
    size = 1
    for n in shape:
        size *= n
    return size


def blank(kind: Any, shape: Any, code: Any) -> Array:
    """An array that is yet to be filled."""
    return Array((0,), np.int8) if kind is ARRAY else refuse(f"an array of class {kind!r}")


def scalar(kind: Any, content: Any = b"") -> Any:
    if not isinstance(kind, ArrayType) or kind.dtype.kind == "O":
        refuse("a scalar that is no number and no string")
    content = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        refuse("a scalar of another size than its content")
    return np.frombuffer(content, kind.dtype)[0] if content else kind.dtype.type()


def from_buffer(content: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """As protocol 5 keeps an array of numbers or strings; `axes` where it was transposed."""
    if not isinstance(kind, ArrayType) or kind.dtype.kind == "O":
        refuse("an array of objects in a buffer")
    if len(memoryview(content).cast("B")) != size_of(shape) * kind.dtype.itemsize:
        refuse("an array of another size than its content")
    array = np.frombuffer(content, kind.dtype)
    turned = order == "K" and axes is not None
    array = array.reshape(shape).transpose(axes) if turned else array.reshape(shape, order=order)
    return array.copy(order="K").view(Array)


ARRAY, TYPE = Maker(lambda *_: refuse("an array that is not filled")), Maker(ArrayType)
NUMPY = {"_reconstruct": Maker(blank), "scalar": Maker(scalar)}
ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): ARRAY,
    ("numpy", "dtype"): TYPE,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _codecs.encode,
    **{(f"numpy.{core}.multiarray", name): made for core in ("core", "_core") for name, made in NUMPY.items()},
    **{(f"numpy.{core}.numeric", "_frombuffer"): Maker(from_buffer) for core in ("core", "_core")},
    **{(module, name): getattr(builtins, name) for module in ("builtins", "__builtin__") for name in CONTAINERS},
}


class Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            refuse(f"{module}.{name}")
        return ADMITTED[module, name]


def load(file: Path) -> Any:
    """What a pickle of any protocol holds, Python 2's included. Raises `DataError` where it names anything else."""
    try:
        with open(file, "rb") as opened:
            return Reader(opened, encoding="latin1").load()
    except RefusedError as error:
        raise DataError(
            f"{file.name}: the pickle holds {error}, and reading that could run code; nothing was run"
            "\n  only numpy arrays and plain containers are read"
            "\n  to go on: where you trust it, load it in Python and save arrays and lists alone"
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error
    except BROKEN as error:
        raise DataError(f"{file.name}: not a readable pickle: {str(error)[:200]}") from error
