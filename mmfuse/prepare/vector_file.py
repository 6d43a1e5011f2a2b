"""Word vectors from the files that GloVe, word2vec and fastText write, gzipped ones (.gz) too.

Text: a word and its numbers a line, word2vec's and fastText's after a line with their count and width (GloVe:
https://nlp.stanford.edu/projects/glove). word2vec's binary form: that line, then each word, a space and its numbers as
little-endian float32 (https://code.google.com/archive/p/word2vec). Both are read as a stream, of which only the words
that are wanted are kept. fastText's own .bin is a whole model (https://fasttext.cc/docs/en/support.html), which gensim
loads into memory; it has a vector for words it never saw as well, from their letters. Needs the extra `vectors` then.
"""

import gzip
import struct
import zlib
from collections.abc import Collection, Iterable
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import NoReturn

import numpy as np

from mmfuse.errors import ConfigError, DataError

Rows = dict[str, np.ndarray]  # by word: (width,) float32

BUFFER = 1 << 20  # bytes
FASTTEXT, ZIP = struct.pack("<i", 793712314), b"PK\x03\x04"  # how those files begin
LARGEST = float(np.finfo(np.float32).max)
PRINTED = frozenset(range(32, 127)) | {9, 10, 13}
BROKEN = (OSError, EOFError, ValueError, AssertionError, NotImplementedError, struct.error, zlib.error)


def read_vectors(file: Path, words: Collection[str]) -> tuple[Rows, Rows]:
    """The vectors of those of the words that the file lists, and those it makes of others' letters."""
    wanted = {word.encode(): word for word in words}
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rb") as stream:
            start = stream.read(4)
            stream.seek(0)
            if start == ZIP:
                raise DataError(f"vectors={file} is a zip archive\n  to go on: unpack it, and name the file in it")
            if start != FASTTEXT:
                return of_stream(stream, file, wanted), {}
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"vectors={file} cannot be read: {error}\n  to go on: fetch it once more") from error
    return of_fasttext(file, words)


def of_stream(stream: BufferedIOBase, file: Path, wanted: dict[bytes, str]) -> Rows:
    first = stream.readline(BUFFER)
    count, width = header(first)
    if not width:
        return of_text(chain([first], stream) if first else [], file, wanted)
    place = stream.tell()
    numbers = stream.read(BUFFER).partition(b" ")[2][: 2 * width]  # as text takes two bytes a number at least
    stream.seek(place)
    if PRINTED.issuperset(numbers):
        return of_text(stream, file, wanted, count, width)
    return of_binary(stream, file, wanted, count, width)


def header(line: bytes) -> tuple[int, int]:
    """How many words there are, and how wide they are; zeros where the line says neither."""
    pieces = line.split()
    return (int(pieces[0]), int(pieces[1])) if len(pieces) == 2 and all(p.isdigit() for p in pieces) else (0, 0)


def of_text(lines: Iterable[bytes], file: Path, wanted: dict[bytes, str], count: int = 0, width: int = 0) -> Rows:
    """`count` and `width` as a header says that is not among the lines any more; 0 where there was none."""
    found: Rows = {}
    before = 1 if width else 0  # lines
    told, number = "the header says", before
    for number, line in enumerate(lines, before + 1):
        line = line.strip().replace(b"\t", b" ")
        if not line:
            continue
        if not width:
            width, told = line.count(b" "), "line 1 has"
        word, _, rest = line.partition(b" ")
        if line.count(b" ") != width:
            word, rest = apart(line, width)
        if not width or not rest:
            have = len(line.split()) - 1
            refuse(file, f"line {number}", f"{max(0, have)} numbers{f', where {told} {width}' if width else ''}")
        if word in wanted and wanted[word] not in found:  # some files have a word twice: its first place counts
            found[wanted[word]] = numbers_of(rest, file, f"line {number}")
    if not number:
        refuse(file, "line 1", "nothing; the file is empty")
    if count > number - before:
        refuse(file, f"line {number}", f"the end after {number - before:,} words, where the header says {count:,}")
    return found


def apart(line: bytes, width: int) -> tuple[bytes, bytes]:
    """A word and its numbers, where several spaces part them or the word has some (". . .", in GloVe's largest file).

    No numbers where their count is another than `width`.
    """
    pieces = line.split()
    word = pieces[: len(pieces) - width]
    if not word or any(is_number(piece) for piece in word[1:]):
        return line, b""
    return b" ".join(word), b" ".join(pieces[len(word) :])


def is_number(piece: bytes) -> bool:
    try:
        float(piece)
    except ValueError:
        return False
    return True


def numbers_of(text: bytes, file: Path, place: str) -> np.ndarray:
    pieces = text.split()
    finite = [is_number(piece) and abs(float(piece)) <= LARGEST for piece in pieces]  # which NaN is not, either
    if not all(finite):
        wrong = pieces[finite.index(False)].decode(errors="backslashreplace")
        refuse(file, place, f"{wrong!r}, which is not a finite number")
    return np.array([float(piece) for piece in pieces], np.float32)


def of_binary(stream: BufferedIOBase, file: Path, wanted: dict[bytes, str], count: int, width: int) -> Rows:
    found: Rows = {}
    held, start = b"", 0
    for number in range(1, count + 1):
        while (space := held.find(b" ", start)) < 0 or len(held) < space + 1 + 4 * width:
            more = stream.read(BUFFER)
            if not more:
                refuse(file, f"word {number:,}", f"the end, where its header says {count:,} words of {width} numbers")
            held, start = held[start:] + more, 0
        word = held[start:space].lstrip(b"\n")  # some writers end each word's numbers with one
        start = space + 1 + 4 * width
        if word in wanted and wanted[word] not in found:
            row = np.frombuffer(held, "<f4", width, space + 1).astype(np.float32)
            if not np.isfinite(row).all():
                refuse(file, f"word {number:,}", f"{row[~np.isfinite(row)][0]}, which is not a finite number")
            found[wanted[word]] = row
    return found


def of_fasttext(file: Path, words: Collection[str]) -> tuple[Rows, Rows]:
    try:
        from gensim.models.fasttext import load_facebook_vectors
    except ModuleNotFoundError as error:
        said = f"vectors={file} is fastText's own form, which needs a library"
        raise ConfigError(f"{said}\n  to go on: pip install 'mmfuse[vectors]', or fastText's .vec file") from error
    try:
        model = load_facebook_vectors(str(file))
    except BROKEN as error:
        raise DataError(f"vectors={file} cannot be read: {error}\n  to go on: fetch it once more") from error
    listed = {word: np.array(model[word], np.float32) for word in words if word in model.key_to_index}
    made = {word: np.array(model[word], np.float32) for word in words if word not in listed and word in model}
    return listed, made


def refuse(file: Path, place: str, found: str) -> NoReturn:
    raise DataError(
        f"vectors={file}, {place}: {found}\n"
        "  to go on: fetch it once more, if it was cut short; a word and as many numbers a line are needed, or\n"
        "  word2vec's binary form"
    )
