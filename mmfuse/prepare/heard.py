"""From sounds to what a pretrained model hears, by its own feature extractor (Hugging Face transformers)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmfuse import hub
from mmfuse.prepare.reading import read_each
from mmfuse.prepare.sound import Sound
from mmfuse.prepare.waveform import Waveform
from mmfuse.types import Preparation, Ragged

WINDOW = 0.025  # seconds


class Heard(Preparation):
    def __init__(self, model: str, max_seconds: float = 10.0, threads: int = 4):
        """`model` is a folder or a name on the hub. What is beyond `max_seconds` is cut.

        A step is a sample or, of models that hear a spectrogram, a frame of it. Sounds are resampled to the rate that
        the model knows, several channels averaged. Files are decoded in `threads` threads.
        """
        self.model, self.max_seconds, self.threads, self.size = model, max_seconds, threads, 0
        self.open()

    def open(self) -> None:
        from transformers import AutoFeatureExtractor  # seconds, for those who use it

        self.extractor: Any = hub.load(AutoFeatureExtractor, self.model, "processor")
        self.size = int(self.extractor.sampling_rate)
        self.waveform = Waveform(self.size, self.max_seconds, threads=1)

    def fit(self, raw: Sequence[Sound | None]) -> None:
        """Nothing is learned from the training rows."""

    def __call__(self, raw: Sequence[Sound | None]) -> Ragged:
        heard = read_each(self.hear, raw, self.threads)
        lengths = torch.zeros(len(raw), dtype=torch.long)
        lengths[[i for i, sound in enumerate(raw) if sound is not None]] = torch.tensor(
            [len(steps) for steps in heard], dtype=torch.long
        )
        joined = np.concatenate(heard) if heard else np.empty(0, np.float32)  # (S,) or (S, bands)
        return Ragged(torch.from_numpy(joined), lengths)

    def hear(self, sound: Sound) -> np.ndarray:
        """(samples,) or (frames, bands) of one."""
        wave = self.waveform.wave(sound)
        if hasattr(self.extractor, "num_mel_bins"):  # AST, whose spectrogram is Kaldi's and takes no less than a window
            wave = np.pad(wave, (0, max(0, int(WINDOW * self.size) - len(wave))))
        made = self.extractor(wave, sampling_rate=self.size, return_tensors="np")
        if "input_values" in made:
            return np.asarray(made["input_values"][0], np.float32)
        frames = np.asarray(made["input_features"][0], np.float32).T  # of half a minute, whatever the sound's length
        reach = self.extractor.n_fft // 2  # samples on either side of a frame's middle that it hears
        return frames[: -(-(len(wave) + reach) // self.extractor.hop_length)]  # the rest is silence

    def opened(self, value: Sound) -> tuple[np.ndarray, int]:
        return self.waveform.opened(value)

    def state(self) -> dict[str, Any]:
        return {"model": self.model, "max_seconds": self.max_seconds, "extractor": self.extractor.to_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.model, self.max_seconds = state["model"], state["max_seconds"]
        self.open()
