"""Every modality is its own noisy view of what a row is, so that what is learned from one can be asked of another.

A toy, for the strategies that carry something from one modality to another. A row has one of four classes and, around
the class's corner of a space of four dimensions, a place of its own. Each modality shows that place through a fixed
random linear map, with noise: all say the same, in features that have nothing in common.
"""

from collections.abc import Collection

import numpy as np

from mmfuse.errors import ConfigError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Dataset, Examples

WIDTHS = {"audio": 12, "text": 10}
CLASSES = 4


class Shared(Dataset):
    def __init__(self, modalities: Collection[str], tasks: Collection[str], rows: int = 800, seed: int = 0):
        """Modalities among audio and text; the task is kind, 4 classes."""
        self.modalities, self.tasks, self.rows, self.seed = list(modalities), list(tasks), rows, seed

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        if split or group:
            raise ConfigError("dataset.split: the toy has no columns to split or group by; use dataset.split.ratios")
        random = np.random.default_rng(self.seed)
        kind = random.integers(CLASSES, size=self.rows)  # (N,)
        place = np.eye(CLASSES)[kind] + 0.25 * random.standard_normal((self.rows, CLASSES))  # (N, 4)
        views = {m: view(place, width, random) for m, width in WIDTHS.items()}
        return Examples(
            raw={m: list(views[m]) for m in self.modalities},
            columns={m: m for m in self.modalities},
            targets=dict.fromkeys(self.tasks, kind),
            tasks={t: Multiclass([str(k) for k in range(CLASSES)]) for t in self.tasks},
            ids=[str(row) for row in range(self.rows)],
        )


def view(place: np.ndarray, width: int, random: np.random.Generator) -> np.ndarray:
    """(N, 4) -> (N, width), what one modality shows."""
    shown = place @ random.standard_normal((CLASSES, width)) + 0.1 * random.standard_normal((len(place), width))
    return shown.astype(np.float32)
