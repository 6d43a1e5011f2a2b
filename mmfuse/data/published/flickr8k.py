"""Flickr8k: pictures with five captions each, to find one by the other. As its authors publish it, or as on Kaggle.

Hodosh, Young and Hockenmaier, Framing image description as a ranking task, JAIR 2013,
https://doi.org/10.1613/jair.3994. `Flickr8k.token.txt` has a line a caption: the picture's file, #, the caption's
number, a tab, the caption; `Flickr_8k.trainImages.txt`, `devImages` and `testImages` list the files of a split.
`captions.txt` is a CSV of image and caption. A row is a caption with its picture; a picture's rows stay together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect, missing
from mmfuse.data.rows import separated
from mmfuse.errors import ConfigError, DataError
from mmfuse.tasks.pairs import Pairs
from mmfuse.types import Dataset, Examples

SOURCE = "https://www.kaggle.com/datasets/adityajn105/flickr8k; the splits with Flickr8k_text.zip of the authors"
CAPTIONS = ("Flickr8k.token.txt", "captions.txt")
FOLDERS = ("Images", "Flicker8k_Dataset", "Flickr8k_Dataset")
LISTS = {"train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}


class Flickr8k(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """One modality of kind image, one of kind text. Tasks of kind pairs, `between` the two."""
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        captions = self.captions()
        files = [file for file, _ in captions]
        folder = self.one_of(FOLDERS)
        own = self.split(files)
        number = {file: k for k, file in enumerate(dict.fromkeys(files))}
        raw: dict[str, list[Any]] = {}
        for name, about in self.modalities.items():
            if about["kind"] not in ("image", "text"):
                raise ConfigError(f"dataset.modalities.{name}.kind={about['kind']}: there are kinds image and text")
            image = about["kind"] == "image"
            raw[name] = [folder / file if image else caption or None for file, caption in captions]
        seen: dict[str, int] = {}
        ids = []
        for file in files:
            seen[file] = seen.get(file, -1) + 1
            ids.append(f"{file}#{seen[file]}")
        return Examples(
            raw=raw,
            columns={name: name for name in self.modalities},
            targets={name: np.array([number[file] for file in files], np.int64) for name in self.tasks},
            tasks={name: pairs(name, about) for name, about in self.tasks.items()},
            ids=ids,
            split=own,
            groups=chosen("group", group or "image", {"image": np.array(files)}),
        )

    def captions(self) -> list[tuple[str, str]]:
        """(picture's file, caption), without those whose picture is not published."""
        file = self.one_of(CAPTIONS)
        if file.name == "captions.txt":
            rows = separated(file, ",", "utf-8")
            if list(rows)[:2] != ["image", "caption"]:
                raise DataError(f"captions.txt: its columns are {', '.join(rows)}, but image, caption are needed")
            found = list(zip(rows["image"], rows["caption"].str.strip(), strict=True))
        else:
            found = []
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                name, tab, caption = line.partition("\t")
                if not tab or "#" not in name:
                    raise DataError(
                        f"{file.name}, line {number}: FILE#NUMBER, a tab and a caption are needed: '{line[:60]}'"
                    )
                found.append((name.rpartition("#")[0], caption.strip()))
        return [(name, caption) for name, caption in found if name.endswith(".jpg")]  # one name ends in .jpg.1

    def split(self, files: list[str]) -> np.ndarray | None:
        """(N,), "" of pictures in none of the lists; None where the lists are not there, as on Kaggle."""
        lists = {part: self.root / name for part, name in LISTS.items()}
        if not any(path.exists() for path in lists.values()):
            return None
        expect(self.root, LISTS.values(), SOURCE)
        part_of = {file: part for part, path in lists.items() for file in path.read_text(encoding="utf-8").split()}
        return np.array([part_of.get(file, "") for file in files])

    def one_of(self, names: tuple[str, ...]) -> Path:
        found = [self.root / name for name in names if (self.root / name).exists()]
        return found[0] if found else missing(self.root, [names[0]], [" or ".join(names)], SOURCE)


def pairs(name: str, about: Mapping[str, Any]) -> Pairs:
    if about["kind"] != "pairs":
        raise ConfigError(f"dataset.tasks.{name}.kind={about['kind']}: there are pairs only")
    return Pairs(about.get("between") or ("image", "text"))
