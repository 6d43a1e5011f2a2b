"""Several vectors a row, as Matlab files of multi-view learning have them: x1_train, x2_train, ..., gt_train, and test.

Han et al., Trusted multi-view classification, ICLR 2021, https://github.com/hanmenghan/TMC, publishes its data so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.types import Dataset, Examples


class ViewsMat(Dataset):
    def __init__(
        self,
        file: str,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        source: str,
        root: str | None = None,
    ):
        """`column` of a modality is x1, x2, ...; of a task gt."""
        self.file, self.root, self.source = file, Path(root or ".").expanduser(), source
        self.modalities, self.tasks = modalities, tasks

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        chosen("column", split, {})
        chosen("group", group, {})
        expect(self.root, [self.file], self.source)
        try:
            held = loadmat(self.root / self.file)
        except (MatReadError, NotImplementedError, ValueError, TypeError) as error:
            raise DataError(f"{self.file}: not a readable .mat file: {error}") from error
        columns = {name: str(about.get("column") or name) for name, about in self.modalities.items()}
        views = {name: self.both(held, column) for name, column in columns.items()}
        for name, about in self.modalities.items():
            if about["kind"] != "vector" or views[name][0].ndim != 2:
                raise ConfigError(
                    f"dataset.modalities.{name}.kind={about['kind']}: views are of kind vector, a row each"
                )
        sizes = [len(part) for part in next(iter(views.values()))]
        own = np.repeat(["train", "test"], sizes)
        tasks, targets = {}, {}
        for name, about in self.tasks.items():
            cells = [int(c) for part in self.both(held, str(about.get("column") or name)) for c in part.ravel()]
            tasks[name], targets[name] = labelled(name, about, cells, own)
        for name, parts in views.items():
            if sum(map(len, parts)) != len(own) or any(len(target) != len(own) for target in targets.values()):
                raise DataError(f"{self.file}: '{columns[name]}' and the labels differ in their number of rows")
        return Examples(
            raw={name: list(np.concatenate(parts).astype(np.float32)) for name, parts in views.items()},
            columns=columns,
            targets=targets,
            tasks=tasks,
            ids=[f"{part}-{row}" for part, n in zip(("train", "test"), sizes, strict=True) for row in range(n)],
            split=own,
        )

    def both(self, held: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
        """The training rows' array of that name, and the test rows'."""
        for key in (f"{name}_train", f"{name}_test"):
            if key not in held:
                have = [k for k in held if not k.startswith("__")]
                raise DataError(f"{self.file} holds no '{key}'\n  {offer(key, have, 'it holds')}")
        return held[f"{name}_train"], held[f"{name}_test"]
