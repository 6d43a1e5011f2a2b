"""Log-mel spectrograms of 1,000 clips of half a second at 8 kHz, against librosa's. Wall time.

Two threads wait for each other, and say nothing where both cores are not theirs.
"""

import os
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benches.row import Row
from benches.timing import Again, in_turns
from mmfuse.encoders.log_mel import LogMel
from mmfuse.types import Signal


def rows(count: int = 1000) -> Iterator[Row]:
    import librosa

    clips = 0.1 * np.random.default_rng(0).standard_normal((count, 4000), dtype=np.float32)
    signal = Signal(torch.from_numpy(clips), torch.ones(clips.shape, dtype=torch.bool))
    front = LogMel(8000)
    framed = {"n_fft": 256, "hop_length": 80, "n_mels": 40, "pad_mode": "constant"}

    def librosas() -> Iterator[np.ndarray]:
        for clip in clips:
            yield librosa.power_to_db(librosa.feature.melspectrogram(y=clip, sr=8000, **framed), top_db=80).T

    def ours(size: int) -> Iterator[torch.Tensor]:
        for start in range(0, len(clips), size):
            with torch.no_grad():
                yield front(Signal(*(part[start : start + size] for part in signal))).data

    furthest = np.abs(torch.cat(list(ours(1000))).numpy() - np.stack(list(librosas()))).max()
    default = max(1, len(os.sched_getaffinity(0)))
    for threads in sorted({1, default}):
        torch.set_num_threads(threads)
        batches = {f"batches of {size}": Again(partial(ours, size)) for size in (64, 1000)}
        rate = in_turns({"librosa": Again(librosas)} | batches, clock=time.perf_counter)
        for name in batches:  # all at once is for comparison: the system hands out that much memory anew each time
            about = f"log-mel, {name}, threads={threads}, against librosa"
            goal = (">=", 5.0) if name == "batches of 64" and threads == 1 else None
            yield Row(about, len(clips) / rate[name], len(clips) / rate["librosa"], goal, "clips/s")
    torch.set_num_threads(1)
    yield Row("  furthest from librosa's", float(furthest), None, ("<", 1e-4), "dB")
