"""From pictures to what a pretrained model looks at, by its own image processor (Hugging Face transformers)."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmfuse import hub
from mmfuse.prepare.picture import Picture, outline, pixels
from mmfuse.prepare.reading import read_each
from mmfuse.types import Preparation, Ragged


class Processed(Preparation):
    def __init__(self, model: str, threads: int = 4):
        """`model` is a folder or a name on the hub. Files are decoded in `threads` threads."""
        self.model, self.threads, self.size = model, threads, 3
        self.open()

    def open(self) -> None:
        from transformers import AutoImageProcessor  # seconds, for those who use it

        self.processor: Any = hub.load(AutoImageProcessor, self.model, "processor", backend="pil")

    def fit(self, raw: Sequence[Picture | None]) -> None:
        """Nothing is learned from the training rows."""

    def __call__(self, raw: Sequence[Picture | None]) -> Ragged:
        pictures = read_each(self.look, raw, self.threads)
        data = np.stack(pictures) if pictures else np.empty((0, 3, 1, 1), np.float32)  # (S, 3, H, W)
        return Ragged(torch.from_numpy(data), torch.tensor([int(picture is not None) for picture in raw]))

    def look(self, picture: Picture) -> np.ndarray:
        """(3, H, W) of what the model's authors made of one."""
        made = self.processor(images=self.opened(picture), input_data_format="channels_last", return_tensors="np")
        return np.asarray(made["pixel_values"][0], np.float32)

    def opened(self, value: Picture) -> np.ndarray:
        """At its own size, upright, transparency on white."""
        height, width, _ = outline(value)
        return pixels(value, height, width, 3).transpose(1, 2, 0)  # (height, width, 3)

    def state(self) -> dict[str, Any]:
        return {"model": self.model, "processor": json.loads(self.processor.to_json_string())}

    def restore(self, state: dict[str, Any]) -> None:
        self.model = state["model"]
        self.open()
