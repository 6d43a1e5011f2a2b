"""AV-MNIST as MultiBench publishes it: written digits and pictures of spoken ones, in .npy files of one split each.

Vielzeuf et al., CentralNet, 2018, https://arxiv.org/abs/1808.07275; Liang et al., MultiBench, 2021,
https://github.com/pliang279/MultiBench. `image/train_data.npy` is (60000, 784), `audio/train_data.npy` (60000, 112,
112), a spectrogram, both of values from 0 to 255, and `train_labels.npy` (60000,); the same with test, 10,000 rows.
The last 5,000 of the 60,000 validate, as in MultiBench.
"""

from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.errors import ConfigError, DataError
from mmfuse.types import Dataset, Examples

SOURCE = "https://github.com/pliang279/MultiBench (AV-MNIST: avmnist.tar.gz by the link of its README)"


class AVMNIST(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
        val_rows: int = 5000,
    ):
        """Modalities image and audio, both pictures; `val_rows` of the training rows, the last, validate."""
        self.modalities, self.tasks, self.val_rows = modalities, tasks, val_rows
        self.root = Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        chosen("group", group, {})
        for name, about in self.modalities.items():
            if about["kind"] != "image":
                raise ConfigError(
                    f"dataset.modalities.{name}.kind={about['kind']}: the spectrograms are pictures, too: image"
                )
        columns = {name: str(about.get("column") or name) for name, about in self.modalities.items()}
        files = [f"{column}/{part}_data.npy" for column in columns.values() for part in ("train", "test")]
        expect(self.root, [*files, "train_labels.npy", "test_labels.npy"], SOURCE)
        labels = [np.load(self.root / f"{part}_labels.npy").ravel() for part in ("train", "test")]
        train, test = map(len, labels)
        if self.val_rows >= train:
            raise ConfigError(f"dataset.val_rows={self.val_rows}: there are {train} training rows to take them from")
        own = np.repeat(["train", "val", "test"], [train - self.val_rows, self.val_rows, test])
        cells = np.concatenate(labels).astype(int).tolist()
        made = {name: labelled(name, about, cells, own) for name, about in self.tasks.items()}
        raw = {
            name: [*self.pictures(column, "train", train), *self.pictures(column, "test", test)]
            for name, column in columns.items()
        }
        return Examples(
            raw=raw,
            columns=columns,
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=[*(f"train-{row}" for row in range(train)), *(f"test-{row}" for row in range(test))],
            split=own,
        )

    def pictures(self, column: str, part: str, n: int) -> np.ndarray:
        """(N, H, W) bytes."""
        file = f"{column}/{part}_data.npy"
        held = np.load(self.root / file, mmap_mode="r")  # 6 GB of the spectrograms, which bytes are an eighth of
        if len(held) != n:
            raise DataError(f"{file} has {len(held)} rows, but {part}_labels.npy has {n}")
        if held.dtype.kind == "f" and len(held) and held[:100].max() <= 1:
            raise DataError(f"{file}: its values go up to {held[:100].max():g}, but 0 to 255 are needed")
        side = isqrt(held[0].size)
        if side**2 != held[0].size:
            raise DataError(f"{file}: a row has the shape {held[0].shape}, which is no square picture")
        return held.astype(np.uint8).reshape(n, side, side)
