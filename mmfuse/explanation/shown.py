"""What a row looks like to a reader: its raw values, small enough for a page that holds them itself.

A text as it is, a picture as a JPEG, a sound as a WAV of 16 bits, of a film the frame in its middle, numbers as
numbers. Pictures and sounds are data URIs (RFC 2397).
"""

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import soundfile
import soxr
from PIL import Image

from mmfuse.prepare import film, sound
from mmfuse.prepare.features import steps
from mmfuse.prepare.picture import outline, pixels
from mmfuse.prepare.reading import BROKEN

SIDE = 160  # pixels of a picture's longer side, at most
SMALL = 64  # a picture smaller than this is enlarged, pixel by pixel, so that it can be seen
SECONDS, RATE, LEAST_RATE = 3.0, 16000, 8000  # of a sound, at most; and the rate to which it is lowered first
NUMBERS = 20  # of a vector
LETTERS = 2000  # of a text

Shown = dict[str, Any]
MISSING: Shown = {"kind": "missing"}


def shown(raw: Any, kind: str, budget: int = 100_000) -> Shown:
    """`kind` is the modality's; `budget` the bytes that a sound may take. What cannot be read says so."""
    if raw is None:
        return dict(MISSING)
    try:
        return SHOWS[kind](raw, budget)
    except (*BROKEN, Image.DecompressionBombError) as error:
        return MISSING | {"why": f"it cannot be read: {error}"[:200]}


def text(raw: Any, budget: int) -> Shown:
    said = raw if isinstance(raw, str) else " ".join(map(str, raw))
    return {"kind": "text", "text": said if len(said) <= LETTERS else said[:LETTERS] + " ..."}


def picture(raw: Any, budget: int) -> Shown:
    height, width, _ = outline(raw)
    share = SIDE / max(height, width)
    size = (max(1, round(height * share)), max(1, round(width * share))) if share < 1 else (height, width)
    image = Image.fromarray(pixels(raw, *size, 3).transpose(1, 2, 0).copy())
    if max(size) < SMALL:
        times = -(-SMALL // max(size))
        image = image.resize((size[1] * times, size[0] * times), Image.Resampling.NEAREST)
    held = BytesIO()
    image.save(held, "JPEG", quality=80)
    return {"kind": "image", "src": uri("image/jpeg", held.getvalue())}


def audio(raw: Any, budget: int) -> Shown:
    """As much of its beginning as fits, at a lower rate before it is cut."""
    wave, rate = sound.decoded(raw, SECONDS)
    samples = max(1, int(budget * 3 / 4 / 2) - 64)  # base64 takes four bytes for three; a header, and two a sample
    wave, wanted = wave[: int(SECONDS * rate)].astype(np.float32), min(rate, RATE)
    if len(wave) / rate * wanted > samples:
        wanted = min(wanted, LEAST_RATE)
    if wanted != rate:
        wave = soxr.resample(wave, rate, wanted)
    wave = np.clip(wave[:samples], -1.0, 1.0)
    held = BytesIO()
    soundfile.write(held, wave, wanted, format="WAV", subtype="PCM_16")
    return {"kind": "audio", "src": uri("audio/wav", held.getvalue()), "seconds": round(len(wave) / wanted, 2)}


def video(raw: Any, budget: int) -> Shown:
    return picture(film.chosen(raw, 1)[0], budget)


def numbers(raw: Any, budget: int) -> Shown:
    """A vector, or the mean over the real steps of a sequence, which then says how many steps it has."""
    array = steps(raw)  # (T, D)
    real = array[np.isfinite(array).all(axis=1)]
    mean = real.mean(axis=0)[:NUMBERS] if len(real) else np.empty(0)
    found: Shown = {"kind": "vector", "values": [round(float(value), 4) for value in mean]}
    return found if len(array) == 1 else found | {"steps": len(array)}


def cells(raw: Mapping[str, Any], budget: int) -> Shown:
    return text(", ".join(f"{name}: {value}" for name, value in raw.items()), budget)


def uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


SHOWS = {
    "text": text,
    "image": picture,
    "audio": audio,
    "video": video,
    "vector": numbers,
    "sequence": numbers,
    "tabular": cells,
}
