"""Folders by class: root/<class>/<file>, or root/<train, val or test>/<class>/<file>.

Files of one folder that share a stem are one row: dog/7.jpg, dog/7.wav and dog/7.txt are a picture, a sound and a text.
The class comes from the folder's name; no name is given to a model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.table import SPLITS
from mmfuse.data.target_columns import declared, ordered
from mmfuse.errors import ConfigError, DataError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Dataset, Examples

SUFFIXES = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    "audio": (".wav", ".flac", ".ogg", ".mp3"),
    "video": (".mp4", ".avi", ".mkv", ".mov", ".webm", ".flv"),
    "text": (".txt",),
    "vector": (".npy", ".npz"),
    "sequence": (".npy", ".npz"),
}


class ClassFolders(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """A modality's `column` is the suffix of its files, such as .flow.npy; by default those of its kind."""
        self.root = Path(root or ".").expanduser()
        self.modalities, self.tasks = modalities, tasks

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        if split or group or len(self.tasks) > 1:
            raise ConfigError(
                "dataset=folder has no columns: one task, the folders' names, and no split or group column"
            )
        wanted = {m: suffixes(m, about) for m, about in self.modalities.items()}
        rows = found(self.root, tuple(s for each in wanted.values() for s in each))
        ((task, about),) = self.tasks.items()
        classes = declared(about) or ordered({name for _, name, _ in rows})
        if about["kind"] != "multiclass" or len(classes) < 2:
            raise DataError(f"{self.root}: folders of two classes or more are needed, but there are {classes}")
        parts = np.array([part for part, _, _ in rows])
        number = {name: k for k, name in enumerate(classes)}
        if strange := {name for _, name, _ in rows} - set(classes):
            raise DataError(f"{self.root}: the folder '{min(strange)}' is not among the classes {classes}")
        return Examples(
            raw={
                m: [value(files, wanted[m], about["kind"]) for files in rows.values()]
                for m, about in self.modalities.items()
            },
            columns={m: ", ".join(each) for m, each in wanted.items()},
            targets={task: np.array([number[name] for _, name, _ in rows], dtype=np.int64)},
            tasks={task: Multiclass(classes)},
            ids=["/".join(filter(None, row)) for row in rows],
            split=parts if parts.any() else None,
        )


def suffixes(modality: str, about: Mapping[str, Any]) -> tuple[str, ...]:
    if about.get("column"):
        return (str(about["column"]),)
    if about["kind"] not in SUFFIXES:
        raise ConfigError(f"dataset.modalities.{modality}: files of kind {about['kind']} are not told by their suffix")
    return SUFFIXES[about["kind"]]


def found(root: Path, wanted: tuple[str, ...]) -> dict[tuple[str, str, str], list[Path]]:
    """By (split, class, stem), "" for a split where the folders name none: its files."""
    rows: dict[tuple[str, str, str], list[Path]] = {}
    for file in sorted(root.rglob("*")) if root.is_dir() else ():
        suffix = next((s for s in wanted if file.name.lower().endswith(s)), None)
        folders = file.relative_to(root).parts[:-1]
        if suffix is None or not folders:
            continue
        split = SPLITS.get(folders[0].lower(), "") if len(folders) > 1 else ""
        name = folders[1] if split else folders[0]
        stem = "/".join((*folders[1 + bool(split) :], file.name[: -len(suffix)]))
        rows.setdefault((split, name, stem), []).append(file)
    if not rows:
        raise DataError(
            f"{root.resolve()}: no folder in it holds any of {', '.join(sorted(set(wanted)))}"
            "\n  to go on: dataset.root=DIR, with DIR/<class>/<file> or DIR/<train|val|test>/<class>/<file>"
        )
    return rows


def value(files: list[Path], wanted: tuple[str, ...], kind: str) -> Any:
    file = next((f for f in files if f.name.lower().endswith(wanted)), None)
    return file.read_text(encoding="utf-8") if file is not None and kind == "text" else file
