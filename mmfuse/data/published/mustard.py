"""MUStARD: is what a character of a comedy says sarcastic? As its authors publish it.

Castro et al., Towards multimodal sarcasm detection, ACL 2019, https://github.com/soujanyaporia/MUStARD.
`sarcasm_data.json` has by id an utterance, its speaker, show, context and label. Audio features are a pickle of (D, T)
arrays by id, visual ones an HDF5 file of (T, D) arrays by id, and the clips are <id>.mp4.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published import safe_pickle
from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.types import Dataset, Examples

SOURCE = "https://github.com/soujanyaporia/MUStARD, its folder data; clips and features by the links of its README"


class MUStARD(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """`column` of a text is utterance or context; `file` of a sequence a .p or .hdf5, of a video a folder.

        Splits: speaker_independent, and fold1 to fold5 of split_indices.p. Groups: speaker, show.
        """
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        files = [about["file"] for about in self.modalities.values() if about.get("file")]
        expect(self.root, ["sarcasm_data.json", *files], SOURCE)
        held: dict[str, dict[str, Any]] = json.loads((self.root / "sarcasm_data.json").read_text(encoding="utf-8"))
        ids, rows = list(held), list(held.values())
        shows = [row.get("show", "") for row in rows]
        folds = {f"fold{k}": k for k in range(1, 6)}
        which = chosen("column", split, {"speaker_independent": 0} | folds)
        own = None
        if which == 0:
            if "FRIENDS" not in shows:
                raise DataError("sarcasm_data.json: no row says its show, by which the speaker-independent split goes")
            own = np.where(np.array(shows) == "FRIENDS", "test", "train")
        elif which is not None:
            own = self.fold(which, len(rows))
        made = {
            name: labelled(name, about, self.cells(rows, about.get("column") or name), own)
            for name, about in self.tasks.items()
        }
        groups = {"speaker": np.array([row["speaker"] for row in rows]), "show": np.array(shows)}
        return Examples(
            raw={name: self.raw(name, about, ids, rows) for name, about in self.modalities.items()},
            columns={name: about.get("column") or about.get("file") or name for name, about in self.modalities.items()},
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=ids,
            split=own,
            groups=chosen("group", group, groups),
        )

    def cells(self, rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
        if not all(name in row for row in rows):
            raise DataError(f"sarcasm_data.json: not every row has '{name}'\n  {offer(name, rows[0], 'the first has')}")
        return [row[name] for row in rows]

    def fold(self, number: int, n: int) -> np.ndarray:
        """The authors' own: pairs of the row numbers that train and that test."""
        expect(self.root, ["split_indices.p"], SOURCE)
        train, test = safe_pickle.load(self.root / "split_indices.p")[number - 1]
        own = np.full(n, "", "<U5")
        own[np.asarray(train)], own[np.asarray(test)] = "train", "test"
        return own

    def raw(self, name: str, about: Mapping[str, Any], ids: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[Any]:
        if about["kind"] == "text":
            said = self.cells(rows, about.get("column") or name)
            return [("\n".join(text) if isinstance(text, list) else text) or None for text in said]
        file = self.root / str(about.get("file"))
        if about["kind"] == "video":
            return [file / f"{i}.mp4" for i in ids]
        if about["kind"] != "sequence" or not about.get("file"):
            raise ConfigError(f"dataset.modalities.{name}: a text, or a sequence or a video with file:, is needed")
        if file.suffix == ".hdf5":
            return from_hdf5(file, ids)
        held = safe_pickle.load(file)
        return [np.asarray(held[i], np.float32).T if i in held else None for i in ids]


def from_hdf5(file: Path, ids: Sequence[str]) -> list[np.ndarray | None]:
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(f"{file.name} takes h5py\n  to go on: pip install 'mmfuse[hdf5]', or leave it out") from error
    with h5py.File(file) as held:
        return [np.asarray(held[i][()], np.float32) if i in held else None for i in ids]
