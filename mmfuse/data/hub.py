"""A Hugging Face data set: by its name on the hub, from a folder that `save_to_disk` wrote, or from a folder of shards.

Whatever its columns: modalities and tasks name them, as with a table. Rows stay in Arrow files, memory-mapped, and are
read as they are needed; class labels keep the names and the order that the data set gives them. Needs the extra `hf`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmfuse.data.cells import cells, empty
from mmfuse.data.lazy import Lazy
from mmfuse.data.mapped import Mapped
from mmfuse.data.modality_columns import MEDIA, ModalityColumns
from mmfuse.data.splits import named
from mmfuse.data.table import SPLITS, source
from mmfuse.data.target_columns import target
from mmfuse.errors import ConfigError, DataError, offer
from mmfuse.types import Dataset, Examples

if TYPE_CHECKING:
    import datasets


class Hub(Dataset):
    def __init__(
        self,
        path: str,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        name: str | None = None,
        revision: str | None = None,
        id: str | None = None,
    ):
        """`path` is a folder or a name on the hub, `name` one of its configurations, `revision` a commit or tag."""
        self.path, self.name, self.revision = path, name, revision
        self.modalities, self.tasks, self.id = modalities, tasks, id

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        rows, parts = joined(opened(self.path, self.name, self.revision))
        about = {name: dict(entry) for name, entry in self.tasks.items()}
        wanted = {str(entry.get("column") or name) for name, entry in about.items()} & set(rows.column_names)
        frame = frame_of(rows, {*wanted, *filter(None, (split, group, self.id))})
        for name, entry in about.items():
            column = str(entry.get("column") or name)
            entry.setdefault("classes", class_names(rows, column))
        read = {name: target(frame, name, entry) for name, entry in about.items()}
        words = [task.of for task, _ in read.values() if task.of is not None]
        return Examples(
            raw={name: self.raw(rows, name, entry, words) for name, entry in self.modalities.items()},
            columns={name: source(name, entry) for name, entry in self.modalities.items()},
            targets={name: found for name, (_, found) in read.items()},
            tasks={name: task for name, (task, _) in read.items()},
            ids=[str(v) for v in cells(frame, self.id)] if self.id else [str(row) for row in range(len(rows))],
            split=named([v or "" for v in cells(frame, split)], SPLITS, f"column '{split}'") if split else parts,
            groups=np.array([str(v) for v in cells(frame, group)]) if group else None,
        )

    def raw(self, rows: "datasets.Dataset", name: str, about: Mapping[str, Any], words: Sequence[str]) -> Sequence[Any]:
        columns = about.get("columns") or [str(about.get("column") or name)]
        for column in columns:
            known(rows, column)
        if about["kind"] in ("text", "tabular") or about.get("columns"):
            beside = ModalityColumns(frame_of(rows, columns), Path(self.path), Path(self.path), True, words)
            return beside.read(name, about)
        if about["kind"] in MEDIA:
            import datasets

            if isinstance(rows.features[columns[0]], datasets.Image | datasets.Audio | datasets.Video):
                rows = rows.cast_column(columns[0], type(rows.features[columns[0]])(decode=False))
            read = partial(media, Mapped(rows, columns[0]))
        else:
            read = partial(arrays, Mapped(rows.with_format("numpy"), columns[0]))
        return Lazy(read, range(len(rows)), f"{rows._fingerprint} {columns[0]}", nulls(rows, columns[0]))


def opened(path: str, name: str | None, revision: str | None) -> "datasets.DatasetDict | datasets.Dataset":
    try:
        import datasets
    except ImportError as error:
        raise ConfigError("dataset=hf needs the package datasets\n  to go on: pip install 'mmfuse[hf]'") from error
    folder = Path(path).expanduser()
    datasets.disable_progress_bars()
    try:
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            return datasets.load_from_disk(str(folder))
        return datasets.load_dataset(str(folder) if folder.exists() else path, name, revision=revision)
    except (OSError, ValueError, RuntimeError) as error:  # the library's own errors are of these
        raise DataError(
            f"dataset.path={path}: {str(error).splitlines()[0][:200]}\n"
            "  without a network: datasets.load_dataset(NAME).save_to_disk(DIR) elsewhere, then dataset.path=DIR"
        ) from error


def joined(found: "datasets.DatasetDict | datasets.Dataset") -> tuple["datasets.Dataset", np.ndarray | None]:
    """All rows, and the split of each: train, val or test; None where the data set has but one."""
    import datasets

    if isinstance(found, datasets.Dataset):
        return found, None
    if len(found) == 1:
        return next(iter(found.values())), None
    parts = named(list(found), SPLITS, "the data set's splits")
    sizes = [len(rows) for rows in found.values()]
    return datasets.concatenate_datasets(list(found.values())), np.repeat(parts, sizes)


def nulls(rows: "datasets.Dataset", column: str) -> np.ndarray:
    """(N,) whether a row has nothing in this column, told without reading what it has."""
    plain = rows if rows._indices is None else rows.flatten_indices()
    return plain.data.column(column).is_null().to_numpy()


def known(rows: "datasets.Dataset", column: str) -> None:
    if column not in rows.column_names:
        raise DataError(f"the data set has no column '{column}'\n  {offer(column, rows.column_names, 'its columns')}")


def frame_of(rows: "datasets.Dataset", columns: Sequence[str] | set[str]) -> pd.DataFrame:
    """Some columns as cells, class numbers as class names."""
    frame = {}
    for column in columns:
        known(rows, column)
        names = class_names(rows, column)
        frame[column] = [cell if names is None else renamed(cell, names) for cell in rows[column]]
    return pd.DataFrame(frame, dtype=object, index=range(len(rows)))


def class_names(rows: "datasets.Dataset", column: str) -> list[str] | None:
    """In the data set's own order; None where the column is not one of class labels."""
    feature = rows.features.get(column)
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return list(names) if names else None


def renamed(cell: Any, names: Sequence[str]) -> Any:
    """
    >>> renamed(1, ["no", "yes"]), renamed([0, 1], ["no", "yes"]), renamed(-1, ["no", "yes"])
    ('yes', ['no', 'yes'], None)
    """
    if isinstance(cell, list):
        return [renamed(one, names) for one in cell]
    return None if cell is None or cell < 0 else names[cell]


def media(rows: Mapped, wanted: Sequence[int]) -> list[Any]:
    """Encoded bytes, or the path of the file."""
    found = []
    for value in rows.take(wanted):
        if isinstance(value, dict):
            value = value.get("bytes") or (Path(value["path"]) if value.get("path") else None)
        found.append(None if empty(value) else Path(value) if isinstance(value, str) else value)
    return found


def arrays(rows: Mapped, wanted: Sequence[int]) -> list[Any]:
    return [None if value is None else value for value in rows.take(wanted)]
