"""From films to some of their frames, each prepared as a picture is. A step is a frame."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from mmfuse.prepare.canvas import Canvas
from mmfuse.prepare.film import Film, chosen, first_outline
from mmfuse.prepare.picture import Picture
from mmfuse.prepare.reading import BROKEN, read_each
from mmfuse.types import Preparation, Ragged


class Frames(Preparation):
    def __init__(
        self,
        frames: int = 8,
        size: Sequence[int] | None = None,
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        color: bool | None = None,
        normalise: Literal["training", "imagenet"] | None = None,
        threads: int = 4,
    ):
        """`frames` are taken evenly over the whole film, all where it has fewer; the rest is as for `Pixels`.

        A film's first frame speaks for its shape and colours. `threads` films are decoded at once.
        """
        if frames < 1:
            raise ValueError(f"frames={frames}: 1 or more are needed")
        self.frames, self.threads = frames, threads
        self.canvas = Canvas(size, fit, color, normalise)
        self.size = self.canvas.channels

    def fit(self, raw: Sequence[Film | None]) -> None:
        self.canvas.fit(raw, first_outline, self.drawn, self.threads)
        self.size = self.canvas.channels

    def __call__(self, raw: Sequence[Film | None]) -> Ragged:
        films = read_each(self.drawn, raw, self.threads)
        lengths = torch.zeros(len(raw), dtype=torch.long)
        lengths[[i for i, film in enumerate(raw) if film is not None]] = torch.tensor(
            [len(film) for film in films], dtype=torch.long
        )
        return Ragged(self.canvas.scale(np.concatenate([self.canvas.blank(), *films])), lengths)  # (S, C, H, W)

    def drawn(self, film: Film) -> np.ndarray:
        """(T, C, H, W) bytes."""
        return np.stack([self.draw(frame) for frame in chosen(film, self.frames)])

    def draw(self, frame: Picture) -> np.ndarray:
        try:
            return self.canvas.draw(frame)
        except BROKEN as error:
            raise ValueError(f"{getattr(frame, 'name', 'a frame')}: {error}") from error

    def opened(self, value: Film) -> np.ndarray:
        return self.drawn(value).transpose(0, 2, 3, 1)  # (T, H, W, C)

    def state(self) -> dict[str, Any]:
        return {"frames": self.frames, **self.canvas.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.frames = state["frames"]
        self.canvas.restore(state)
        self.size = self.canvas.channels
