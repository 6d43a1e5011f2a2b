"""MM-IMDb: which genres has a film, by its plot and its poster? As its authors publish it.

Arevalo et al., Gated multimodal units for information fusion, 2017, https://arxiv.org/abs/1702.01992. `split.json` has
the ids of train, dev and test; `dataset/<id>.json` a film's plots and genres, and `dataset/<id>.jpeg` its poster. Of
several plots the longest is taken, as by the authors.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.data.table import SPLITS
from mmfuse.errors import ConfigError
from mmfuse.types import Dataset, Examples

SOURCE = "https://github.com/johnarevalo/gmu-mmimdb (mmimdb.tar.gz; mirrored at https://archive.org/details/mmimdb)"


class MMIMDb(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """A modality is the poster (kind image) or a text, `column` a key of the films' json. Tasks: genres."""
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        expect(self.root, ["split.json", "dataset"], SOURCE)
        listed = json.loads((self.root / "split.json").read_text(encoding="utf-8"))
        ids = [str(i) for part in listed.values() for i in part]
        own = np.repeat([SPLITS[name] for name in listed], [len(part) for part in listed.values()])
        expect(self.root, [f"dataset/{i}.json" for i in ids], SOURCE)
        films = [json.loads((self.root / f"dataset/{i}.json").read_text(encoding="utf-8")) for i in ids]
        raw: dict[str, list[Any]] = {}
        for name, about in self.modalities.items():
            if about["kind"] == "image":
                raw[name] = [self.root / f"dataset/{i}.jpeg" for i in ids]
            elif about["kind"] == "text":
                raw[name] = [longest(film.get(about.get("column") or name)) for film in films]
            else:
                raise ConfigError(f"dataset.modalities.{name}.kind={about['kind']}: films have kinds text and image")
        made = {
            name: labelled(name, about, [film.get(about.get("column") or name) for film in films], own)
            for name, about in self.tasks.items()
        }
        return Examples(
            raw=raw,
            columns={name: about.get("column") or name for name, about in self.modalities.items()},
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=ids,
            split=own,
            groups=chosen("group", group, {}),
        )


def longest(value: Any) -> str | None:
    """
    >>> longest(["short", "the longer one"]), longest("a title"), longest(None)
    ('the longer one', 'a title', None)
    """
    texts = value if isinstance(value, list) else [value] if value else []
    return max(map(str, texts), key=len, default=None)
