"""Features of utterances as one pickle: by split, by name, one array a name whose first axis is the rows.

So are published the features of MMSA (Mao et al., 2022, https://github.com/thuiar/MMSA), of MultiBench (Liang et al.,
2021, https://github.com/pliang279/MultiBench) and of the multimodal transformer (Tsai et al., 2019,
https://github.com/yaohungt/Multimodal-Transformer): {"train": {"text": (N, T, D), "audio": ..., "id": ...}, ...}.
Their values are as published: what is not a number stays so, and no step is cut.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published import safe_pickle
from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.data.published.padding import unpadded
from mmfuse.data.table import SPLITS
from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.types import Dataset, Examples

Part = Mapping[str, Any]
VIDEO = re.compile(r"(.+?)(?:\$_\$.*|\[\d+\]|_\d+)", re.DOTALL)  # MMSA's ids, CMU's, and those of the raw videos


class FeaturePickle(Dataset):
    def __init__(
        self,
        file: str,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
        source: str | None = None,
        words: str | None = "text",
    ):
        """`column` of a modality or a task is its name in the pickle. Rows may be grouped by video."""
        self.file, self.root, self.source = file, Path(root or ".").expanduser(), source
        self.modalities, self.tasks, self.words = modalities, tasks, words

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})  # the pickle's own split is the only one
        parts = self.parts()
        sizes = {name: len(self.array(part, self.a_modality())) for name, part in parts.items()}
        own = np.repeat(list(sizes), list(sizes.values()))
        ids = [i for name, part in parts.items() for i in names(part, name, sizes[name])]
        tasks, targets = {}, {}
        for name, about in self.tasks.items():
            cells = [c for part in parts.values() for c in cells_of(self.array(part, about.get("column") or name))]
            if len(cells) != len(own):
                raise DataError(f"{self.file}: task '{name}' has {len(cells)} labels for {len(own)} rows")
            tasks[name], targets[name] = labelled(name, about, cells, own)
        return Examples(
            raw={name: [v for part in parts.values() for v in self.raw(part, name)] for name in self.modalities},
            columns={name: about.get("column") or name for name, about in self.modalities.items()},
            targets=targets,
            tasks=tasks,
            ids=ids,
            split=own,
            groups=videos(ids) if chosen("group", group, {"video": True}) else None,
        )

    def parts(self) -> dict[str, Part]:
        """By "train", "val" and "test": what the pickle holds of each."""
        expect(self.root, [self.file], self.source)
        held = safe_pickle.load(self.root / self.file)
        if not isinstance(held, dict) or not all(k in SPLITS and isinstance(v, dict) for k, v in held.items()):
            found = list(held)[:5] if isinstance(held, dict) else type(held).__name__
            raise DataError(
                f"{self.file}: a dict of train, valid and test is needed, each a dict of arrays; it is {found}"
            )
        return {SPLITS[name]: part for name, part in held.items()}

    def a_modality(self) -> str:
        name, about = next(iter(self.modalities.items()))
        return str(about.get("column") or name)

    def array(self, part: Part, key: str) -> Any:
        if key not in part:
            raise DataError(f"{self.file} holds no '{key}'\n  {offer(key, map(str, part), 'it holds')}")
        return part[key]

    def raw(self, part: Part, name: str) -> Sequence[Any]:
        about = self.modalities[name]
        key = str(about.get("column") or name)
        values = self.array(part, key)
        if about["kind"] == "text":
            return [as_text(value) or None for value in values]
        if about["kind"] not in ("sequence", "vector"):
            raise ConfigError(
                f"dataset.modalities.{name}.kind={about['kind']}: the pickle has kinds text, sequence and vector"
            )
        if np.ndim(values) != {"sequence": 3, "vector": 2}[about["kind"]]:
            raise DataError(f"{self.file}: '{key}' has the shape {np.shape(values)}, which is no {about['kind']} a row")
        return unpadded(part, key, self.words)


def as_text(value: Any) -> str:
    """
    >>> as_text(b"good "), as_text(np.array(["good", "film"]))
    ('good', 'good film')
    """
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        return " ".join(map(as_text, value)).strip()
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


def names(part: Part, split: str, size: int) -> list[str]:
    """The rows' ids as text, words of a row joined; their numbers where the pickle has none."""
    return [as_text(i) for i in part["id"]] if "id" in part else [f"{split}-{row}" for row in range(size)]


def videos(ids: Sequence[str]) -> np.ndarray:
    """
    >>> videos(["-3g5yACwYnA$_$10", "03bSnISJMiM[4]", "03bSnISJMiM_11", "2WGyTLYerpo 12.5 17.0"]).tolist()
    ['-3g5yACwYnA', '03bSnISJMiM', '03bSnISJMiM', '2WGyTLYerpo']
    """
    found = [VIDEO.fullmatch(i) or re.fullmatch(r"(\S+)(?: \S+)+", i) for i in ids]
    if lost := [i for i, match in zip(ids, found, strict=True) if match is None]:
        raise ConfigError(
            f"dataset.split.group=video: the id '{lost[0]}' names no video\n  leave dataset.split.group out"
        )
    return np.array([match.group(1) for match in found if match])


def cells_of(labels: Any) -> list[Any]:
    """A label a row: (N,) or (N, 1, 1) numbers or names, (N, K) answers, or (N, K, 2) of no and yes."""
    array = np.asarray(labels)
    if array.size == len(array):
        flat = [value.decode() if isinstance(value, bytes) else value for value in array.reshape(-1).tolist()]
        return [None if value is None or value != value else value for value in flat]
    if array.ndim == 3 and array.shape[2] == 2:
        array = array.argmax(axis=2)
    return list(array.reshape(len(array), -1))
