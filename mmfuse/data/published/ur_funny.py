"""UR-FUNNY: do a TED talk's listeners laugh at a sentence? As its authors publish it, in pickles by the rows' ids.

Hasan et al., UR-FUNNY: a multimodal language dataset for understanding humor, EMNLP 2019,
https://github.com/ROC-HCI/UR-FUNNY. `data_folds.pkl` lists the ids of train, dev and test, `humor_label_sdk.pkl` has
each one's label, `language_sdk.pkl` its sentences, and the features' pickles the punchline's, one vector a word.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published import safe_pickle
from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.feature_pickle import as_text
from mmfuse.data.published.labels import labelled
from mmfuse.data.table import SPLITS
from mmfuse.errors import ConfigError, DataError
from mmfuse.types import Dataset, Examples

SOURCE = "https://github.com/ROC-HCI/UR-FUNNY, the extracted features by the link of its README"
SENTENCES = {"punchline": "punchline_sentence", "context": "context_sentences"}


class URFunny(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """`column` of a text is punchline or context; `file` of a sequence is a pickle of features. Tasks: humor."""
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        chosen("group", group, {})
        sources = {name: self.file_of(name, about) for name, about in self.modalities.items()}
        expect(self.root, ["data_folds.pkl", "humor_label_sdk.pkl", *sources.values()], SOURCE)
        folds = self.held("data_folds.pkl")
        rows = [i for part in folds.values() for i in part]
        own = np.repeat([SPLITS[name] for name in folds], [len(part) for part in folds.values()])
        laughed = self.held("humor_label_sdk.pkl")
        if lost := [i for i in rows if i not in laughed]:
            raise DataError(f"humor_label_sdk.pkl has no label of the id {lost[0]}, which data_folds.pkl lists")
        made = {name: labelled(name, about, [laughed[i] for i in rows], own) for name, about in self.tasks.items()}
        raw: dict[str, list[Any]] = {}
        for name, about in self.modalities.items():
            held = self.held(sources[name])
            if about["kind"] == "text":
                key = SENTENCES[about.get("column") or name]
                raw[name] = [as_text(held[i][key]) or None if i in held else None for i in rows]
            else:
                raw[name] = [features(held[i]["punchline_features"]) if i in held else None for i in rows]
        return Examples(
            raw=raw,
            columns={name: about.get("column") or sources[name] for name, about in self.modalities.items()},
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=[str(i) for i in rows],
            split=own,
        )

    def file_of(self, name: str, about: Mapping[str, Any]) -> str:
        if about["kind"] == "text" and (about.get("column") or name) in SENTENCES:
            return "language_sdk.pkl"
        if about["kind"] == "sequence" and about.get("file"):
            return str(about["file"])
        raise ConfigError(
            f"dataset.modalities.{name}: a text of column {' or '.join(SENTENCES)}, or a sequence with file: is needed"
        )

    def held(self, file: str) -> dict[Any, Any]:
        held = safe_pickle.load(self.root / file)
        return held if isinstance(held, dict) else not_by_id(file)


def not_by_id(file: str) -> Any:
    raise DataError(f"{file}: a dict by the rows' ids is needed")


def features(words: Any) -> np.ndarray | None:
    """(T, D), a vector a word; None of no words."""
    return np.asarray(words, np.float32) if len(words) else None
