"""JPEG files from disk to 224 pixels by two workers, against Pillow in two processes. Wall time.

With `draft` the decoder leaves out what is scaled away anyway.
"""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benches.held import prepared, settings
from benches.row import Row
from benches.timing import Again, in_turns
from mmfuse.data.columns import Streamed
from mmfuse.prepare.pixels import Pixels
from mmfuse.run.loader import loader
from mmfuse.types import Ragged


def rows() -> Iterator[Row]:
    for width, height in ((500, 375), (1280, 960)):
        with tempfile.TemporaryDirectory() as folder:
            files = jpegs(Path(folder), 256, width, height)
            ours = {}
            for threads in (1, 4):
                prepare_ = Pixels(size=[224, 224], color=True, threads=threads)
                prepare_.fit(files[:8])
                column = Streamed(partial(read_pictures, prepare_, files))
                held = prepared({"image": column}, {"y": torch.zeros(len(files), dtype=torch.long)}, len(files))
                ours[f"ours, {threads}"] = loader(settings(64, workers=2), held, np.arange(len(files)), 0)
            rivals = {f"Pillow{' with draft' * d}": Again(partial(by_pillow, files, d)) for d in (False, True)}
            took = in_turns(ours | rivals, repeats=3, clock=time.perf_counter)
            for threads in (1, 4):
                for rival in rivals:
                    name = f"JPEG {width} x {height}, threads={threads}, against {rival}"
                    yield Row(
                        name, len(files) / took[f"ours, {threads}"], len(files) / took[rival], (">=", 0.9), "files/s"
                    )


def read_pictures(prepare_: Pixels, files: list[Path], rows: list[int]) -> Ragged:
    return prepare_([files[row] for row in rows])


def jpegs(folder: Path, n: int, width: int, height: int) -> list[Path]:
    """Pictures with as much in them as a photograph: a coarse one scaled up, and some noise."""
    random = np.random.default_rng(0)
    for k in range(n):
        coarse = Image.fromarray(random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = smooth + random.integers(-12, 13, (height, width, 1), dtype=np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{k}.jpg", quality=85)
    return [folder / f"{k}.jpg" for k in range(n)]


def by_pillow(files: list[Path], draft: bool) -> Iterator[int]:
    context = get_context("fork")
    halves = [context.Process(target=decode, args=(files[k::2], draft)) for k in (0, 1)]
    for process in halves:
        process.start()
    for process in halves:
        process.join()
        yield len(files) // 2


def decode(files: list[Path], draft: bool) -> None:
    for file in files:
        with Image.open(file) as image:
            if draft:
                image.draft("RGB", (448, 448))
            np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
