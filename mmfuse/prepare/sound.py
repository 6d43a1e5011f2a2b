"""One sound: from a file or its bytes, by libsndfile, or from an array; and whether a file ends before it should."""

import os
import struct
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from mmfuse.prepare.reading import Encoded, source

Sound = Encoded | tuple[np.ndarray, int]  # an array is (samples,) with its sampling rate

UNKNOWN = 0x7FFFF000  # lengths from here on are written by programs that stream and can't know


def sampling_rate(sound: Sound) -> int:
    if isinstance(sound, tuple):
        return sound[1]
    with soundfile.SoundFile(existing(sound)) as file:
        return file.samplerate


def decoded(sound: Sound, max_seconds: float | None) -> tuple[np.ndarray, int]:
    """(samples,) from -1 to 1, channels averaged, and their rate; of a file, the first `max_seconds` at most."""
    if isinstance(sound, tuple):
        return of_array(sound[0]), sound[1]
    opened = existing(sound)
    check_whole(opened)
    with soundfile.SoundFile(opened) as file:
        wanted = file.frames if max_seconds is None else min(file.frames, int(max_seconds * file.samplerate))
        data = file.read(frames=wanted, dtype="float32", always_2d=True)
        if len(data) < wanted and file.format != "MP3":  # whose length is a guess where no header tells it
            raise ValueError(f"it ends after {len(data)} of {file.frames} samples")
        return data.mean(axis=1), file.samplerate


def existing(sound: Encoded) -> Path | BytesIO:
    opened = source(sound)
    if isinstance(opened, Path) and not opened.exists():  # of which libsndfile would say "System error."
        raise FileNotFoundError(opened)
    return opened


def of_array(data: np.ndarray) -> np.ndarray:
    if data.ndim != 1:
        raise ValueError(f"its shape is {data.shape}, but (samples,) is needed")
    if np.issubdtype(data.dtype, np.signedinteger):  # as they stand in a file of 16 or 32 bits
        return data.astype(np.float32) / -float(np.iinfo(data.dtype).min)
    if not np.issubdtype(data.dtype, np.floating):
        raise ValueError(f"its numbers are {data.dtype}, but floats or signed integers are needed")
    return data


def check_whole(opened: Path | BytesIO) -> None:
    """Refuses a WAV or AIFF whose samples end before their chunk does; libsndfile would read what is there."""
    with open(opened, "rb") if isinstance(opened, Path) else nullcontext(opened) as file:
        order = {b"RIFF": "<", b"FORM": ">"}.get(file.read(4))
        end = file.seek(0, os.SEEK_END)
        file.seek(12)
        while order and len(head := file.read(8)) == 8:
            name, size = struct.unpack(f"{order}4sI", head)
            there = end - file.tell()
            if name in (b"data", b"SSND") and there < size < UNKNOWN:
                raise ValueError(f"it is cut short: {there} of its {size} bytes of samples are there")
            file.seek(size + size % 2, os.SEEK_CUR)
        file.seek(0)
