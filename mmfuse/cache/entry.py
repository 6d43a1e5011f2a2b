"""What one encoder said of one modality's values, on disk: first in parts, then whole, in one file that is mapped.

Parts are what processes share out among themselves, and where a pass that was cut off goes on. Each has one writer at a
time, by a lock that the system takes back from a process that died. What is whole has checksums, and is made again
where they do not hold.
"""

import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.lib.format import open_memmap

from mmfuse.atomic import write, write_json
from mmfuse.cache.place import ABOUT, PARTS, described, remove
from mmfuse.types import Ragged, Unreadable

DATA, INDEX = "data.npy", "index.npz"
BLOCK = 1 << 22  # bytes that are summed at a time
DAMAGED = (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, BadZipFile, zlib.error)


class Said(NamedTuple):
    """Of some values, one after another."""

    steps: Ragged  # data (S, D); mapped, of a whole entry
    failures: list[Unreadable]  # values that could not be read, by their number


class Entry:
    def __init__(self, folder: Path, about: dict[str, Any], values: int, dim: int, part: int):
        """Of so many values, `part` of them at a time, in steps `dim` wide; `about` says of "what"."""
        self.folder, self.about = folder, about | {"values": values, "dim": dim}
        self.values, self.dim = values, dim
        self.parts = [range(start, min(start + part, values)) for start in range(0, values, part)]
        self.damaged = False  # whether what was there had to be removed

    def made(self, make: Callable[[range], Said], tell: Callable[[int], None]) -> Said:
        """All of it: what is there, what others make meanwhile, and what `make` has to add.

        `make` numbers failures within the part that it is asked for; `tell` hears how many values are done.
        """
        while (whole := self.opened()) is None:
            self.begin()
            while waiting := [number for number in range(len(self.parts)) if not self.has(number)]:
                left = sum(len(self.parts[number]) for number in waiting)  # values
                idle = True
                for number in waiting:
                    if self.add(number, make):
                        idle, left = False, left - len(self.parts[number])
                        tell(self.values - left)
                if idle:
                    time.sleep(0.2)  # others are at all of them
            with self.alone("whole.lock", wait=True):
                if not self.finished():
                    self.join()
        return whole

    def add(self, number: int, make: Callable[[range], Said]) -> bool:
        """Whether the part is there now; nobody else is waited for."""
        with self.alone(f"{number}.lock", wait=False) as mine:
            if mine and not self.has(number):
                self.save(number, make(self.parts[number]))
        return mine

    def begin(self) -> None:
        (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
        if described(self.folder) is None:
            write_json(self.folder / ABOUT, self.about)

    @contextmanager
    def alone(self, name: str, wait: bool) -> Iterator[bool]:
        """Whether nobody else is at it."""
        self.begin()
        lock = FileLock(self.folder / PARTS / name, timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def finished(self) -> bool:
        return bool((described(self.folder) or {}).get("finished"))

    def has(self, number: int) -> bool:
        return self.part(number).exists() or self.finished()

    def part(self, number: int) -> Path:
        return self.folder / PARTS / f"{number}.npz"

    def save(self, number: int, said: Said) -> None:
        data, lengths = said.steps.data.numpy(), said.steps.lengths.numpy()
        self.begin()
        save(self.part(number), data=data, lengths=lengths, failures=written(said.failures))

    def join(self) -> None:
        """One file of all parts, which are removed; nothing where a part turns out to be damaged."""
        lengths, failures = [np.zeros(0, np.int64)], list[Unreadable]()
        for number, values in enumerate(self.parts):
            held = self.read(number)
            if held is None:
                return
            lengths.append(held["lengths"])
            failures += [failure._replace(row=values[failure.row]) for failure in read(held["failures"])]
        joined = np.concatenate(lengths)
        steps = int(joined.sum())

        def fill(at: Path) -> None:
            if not steps:  # of which nothing can be mapped
                with open(at, "wb") as file:
                    np.save(file, np.zeros((0, self.dim), np.float32))
                return
            data, done = open_memmap(at, "w+", np.float32, (steps, self.dim)), 0
            for number in range(len(self.parts)):
                with np.load(self.part(number)) as held:
                    part = held["data"]
                data[done : done + len(part)] = part
                done += len(part)
            data.flush()

        write(self.folder / DATA, fill)
        save(self.folder / INDEX, lengths=joined, failures=written(failures))
        sums = {name: checksum(self.folder / name) for name in (DATA, INDEX)}
        write_json(self.folder / ABOUT, self.about | {"finished": time.time(), "checksums": sums})
        for number in range(len(self.parts)):
            self.part(number).unlink(missing_ok=True)

    def read(self, number: int) -> dict[str, np.ndarray] | None:
        """A part; None, and it is removed, where it is damaged."""
        try:
            with open(self.part(number), "rb") as file, np.load(file) as held:
                part = {name: held[name] for name in ("data", "lengths", "failures")}
            if len(part["lengths"]) != len(self.parts[number]) or part["lengths"].sum() != len(part["data"]):
                raise ValueError("it is a part of another size")
            return part
        except DAMAGED:
            self.part(number).unlink(missing_ok=True)
            return None

    def opened(self) -> Said | None:
        """All of it, where it is whole; what is damaged is removed."""
        if not self.finished():
            return None
        try:
            about = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
            if any(checksum(self.folder / name) != total for name, total in about["checksums"].items()):
                raise ValueError("a file is not as it was written")
            with open(self.folder / INDEX, "rb") as file, np.load(file) as index:
                lengths, failures = index["lengths"], read(index["failures"])
            there = self.folder / DATA  # torch wants what it could write to: "c" is a copy on writing, if there is any
            data = np.load(there, mmap_mode="c") if lengths.any() else np.load(there)
        except DAMAGED:
            self.damaged = True
            if self.folder.exists():
                remove(self.folder)
            return None
        with suppress(OSError):  # of others, who let it be read
            os.utime(self.folder / ABOUT)  # when it was last used
        return Said(Ragged(torch.from_numpy(data), torch.from_numpy(lengths)), failures)


def save(place: Path, **arrays: np.ndarray) -> None:
    def fill(at: Path) -> None:
        with open(at, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    write(place, fill)


def written(failures: list[Unreadable]) -> np.ndarray:
    return np.array(json.dumps([failure._asdict() for failure in failures]))


def read(failures: np.ndarray) -> list[Unreadable]:
    return [Unreadable(**failure) for failure in json.loads(str(failures))]


def checksum(file: Path) -> int:
    total = 0
    with open(file, "rb") as opened:
        while block := opened.read(BLOCK):
            total = zlib.crc32(block, total)
    return total
