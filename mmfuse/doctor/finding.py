"""What `mmfuse doctor` finds: a line each."""

from typing import Literal, NamedTuple

State = Literal["fine", "missing", "warning", "broken"]  # missing: an optional part; broken: nothing runs without it


class Finding(NamedTuple):
    section: str
    name: str
    value: str
    state: State = "fine"
    advice: str = ""  # what to do
