"""Pickles of arrays and plain containers are read; nothing else is, and nothing is run."""

import collections
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from mmfuse.data.published.safe_pickle import load
from mmfuse.errors import DataError

HELD = {
    "floats": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "turned": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
    "big-endian": np.arange(3, dtype=">i4"),
    "none": np.empty((0, 3), np.float32),
    "one": np.array(3.0),
    "truth": np.array([True, False]),
    "holes": np.array([np.nan, -np.inf]),
    "words": np.array(["word", "字"]),
    "bytes": np.array([b"x", b"yz"]),
    "objects": np.array([[1, 2], None, {"k": "v"}], dtype=object),
    "number": np.float64(2.5),
    "word": np.str_("hi"),
    "lists": [1, "two", (3.0, None, True), {4}, frozenset({5}), b"\xff\x00", bytearray(b"q"), 1j, slice(1, 2)],
    "ordered": collections.OrderedDict(a=1, b=[2]),
}


@pytest.fixture
def saved(tmp_path):
    def save(content):
        (tmp_path / "it.pkl").write_bytes(content)
        return tmp_path / "it.pkl"

    return save


@pytest.mark.parametrize("protocol", range(2, 6))
def test_what_went_in_comes_out(saved, protocol):
    found = load(saved(pickle.dumps(HELD, protocol)))
    assert list(found) == list(HELD)
    for name, value in HELD.items():
        if isinstance(value, np.ndarray):
            array = np.asarray(found[name])
            assert array.shape == value.shape
            assert (array.dtype.kind, array.dtype.itemsize) == (value.dtype.kind, value.dtype.itemsize)
            assert array.tolist() == value.tolist() or (
                name == "holes" and np.array_equal(array, value, equal_nan=True)
            )
        else:
            assert found[name] == value
            assert type(found[name]) is type(value)


def test_an_array_that_stands_twice_is_one(saved):
    array = np.arange(3)
    first, second = load(saved(pickle.dumps([array, array])))
    assert first is second


def test_pickles_of_python_2_and_of_old_numpy(saved):
    """As `cPickle.dumps({"id": "caf\\xe9", "x": np.array([1.0, 2.0])}, 2)` was in Python 2, with numpy.core."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02tcnumpy\ndtype\n(U\x02f8K\x00"
        b"K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10"
        + np.array([1.0, 2.0]).tobytes()
        + b"tb"
    )
    found = load(saved(b"\x80\x02}(U\x02idU\x04caf\xe9U\x01x" + array + b"u."))
    assert found["id"] == "café"
    assert np.asarray(found["x"]).tolist() == [1.0, 2.0]


class Calls:
    """Pickled as a call of a function, which unpickling makes."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def canary(folder):
    return f"open({str(folder / 'ran')!r}, 'w').close()"


def attacks(folder):
    import functools
    import importlib
    import os
    import subprocess

    from numpy._core import multiarray, numeric

    touch = f"touch {folder / 'ran'}"
    yield "posix.system", Calls(os.system, touch)
    yield "subprocess.Popen", Calls(subprocess.Popen, ["touch", str(folder / "ran")])
    yield "builtins.eval", Calls(eval, canary(folder))
    yield "builtins.exec", [{"deep": (np.arange(2), Calls(exec, canary(folder)))}]
    yield "builtins.getattr", Calls(getattr, "x", "upper")
    yield "importlib.import_module", Calls(importlib.import_module, "os")
    yield "functools.partial", functools.partial(os.getcwd)
    yield "builtins.eval", np.array([Calls(eval, canary(folder)), None], dtype=object)
    yield "numpy.load", Calls(np.load, str(folder / "other.npy"), None, True)
    yield "numpy.memmap", Calls(np.memmap, str(folder / "ran"), "uint8", "w+", 0, (1,))
    yield "builtins.eval", Calls(numeric._frombuffer, Calls(eval, canary(folder)), np.dtype("f8"), (1,), "C")
    yield "an array of objects in a buffer", Calls(numeric._frombuffer, bytearray(8), np.dtype("O"), (1,), "C")
    yield "a scalar that is no number", Calls(multiarray.scalar, np.dtype("O"), pickle.dumps(Calls(os.system, touch)))
    yield "an array that is not filled", Calls(np.ndarray, (1,), "O", b"\x41" * 8)
    yield "an array of |V8", np.zeros(1, [("a", "f8")])
    yield "numpy.ma", np.ma.masked_array([1.0], [True])


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_code_is_refused_and_nothing_runs(saved, tmp_path, protocol):
    for says, attack in attacks(tmp_path):
        with pytest.raises(DataError) as caught:
            load(saved(pickle.dumps(attack, protocol)))
        assert (says if protocol > 2 else "the pickle holds ") in str(caught.value)  # older ones have Python 2's names
        assert len(str(caught.value).splitlines()) <= 6
        assert not (tmp_path / "ran").exists()


def test_the_attacks_would_work_on_pickle_itself(tmp_path):
    """Or the test above would prove nothing."""
    pickle.loads(pickle.dumps(next(iter(attacks(tmp_path)))[1], 4))
    assert (tmp_path / "ran").exists()


def edited(array, old, new):
    """The pickle of an array with something else in the place of its shape, type or content."""
    content = pickle.dumps(array, 4)
    assert content.count(old) == 1
    content = content.replace(old, new)
    start = content.index(b"\x95")  # the frame says its own length
    return content[: start + 1] + (len(content) - start - 9).to_bytes(8, "little") + content[start + 9 :]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x03\x85", b"K\x04\x85"),  # four numbers in the room of three: what lies behind them would be read
        (b"\x8c\x02f8", b"\x8c\x02O8"),  # numbers taken for pointers
        (b"\x8c\x02f8", b"\x8c\x02V8"),
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused(saved, old, new):
    with pytest.raises(DataError, match="the pickle holds an array"):
        load(saved(edited(np.arange(3.0), old, new)))


def test_an_object_array_with_fewer_objects_than_its_shape_is_refused(saved):
    content = edited(np.array([None, None, None], dtype=object), b"K\x03\x85", b"K\x09\x85")
    assert "NONE" in {opcode.name for opcode, *_ in pickletools.genops(content)}
    with pytest.raises(DataError, match="of another size"):
        load(saved(content))


@pytest.mark.parametrize("state", [b"}U\x01ac", b"N}(U\x01aK\x01u\x86"])
def test_what_may_be_called_cannot_be_changed(saved, state):
    for call in (b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"):
        content = b"\x80\x02" + call + (b"}U\x01aK\x01s" if state.startswith(b"}") else state) + b"b."
        with pytest.raises(DataError, match="a changed function"):
            load(saved(content))


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps(HELD)[:-40], b"\x80\x04."], ids=len)
def test_what_is_no_pickle_is_an_error_of_the_data(saved, content):
    with pytest.raises(DataError, match="not a readable pickle"):
        load(saved(content))


def test_a_missing_file_is_an_error_of_the_data():
    with pytest.raises(DataError, match="cannot be read"):
        load(Path("nowhere.pkl"))
