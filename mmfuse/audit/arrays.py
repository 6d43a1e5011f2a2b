"""Raw values that are numbers, as arrays, wherever that costs no more than a look."""

import json
from pathlib import Path
from typing import Any

import numpy as np


def as_array(value: Any) -> np.ndarray | None:
    """(T, D) of a vector, a list or its JSON; any other array, and a sound's (samples,), as it is; None of what is in a
    file or is no number.

    >>> as_array([1, 2]), as_array("[[1], [2]]").shape, as_array("a word")
    (array([[1., 2.]]), (2, 1), None)
    """
    if value is None or isinstance(value, Path):
        return None
    if isinstance(value, str):
        if not value.lstrip().startswith("["):
            return None
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):  # a sound, with its sampling rate
        return value[0]
    try:
        array = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError):
        try:
            array = np.asarray([np.asarray(step, np.float64) for step in value])
        except (ValueError, TypeError):
            return None
    return array[None] if array.ndim == 1 else array if array.ndim else None
