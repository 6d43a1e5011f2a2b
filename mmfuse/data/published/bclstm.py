"""CMU-MOSI as the bc-LSTM's authors publish it: one vector an utterance and modality, in CSV files without a header.

Poria et al., Context-dependent sentiment analysis in user-generated videos, ACL 2017,
https://github.com/declare-lab/multimodal-deep-learning/tree/main/bc-LSTM/data. `transcripts.csv` has a line an
utterance: its id (video_segment), words, a number, the label. The first cell of each line of `text_train.csv` and
`text_test.csv` says which of these the lines of `text/text_train0.csv`, `audio/audio_train0.csv` and so on are, whose
last cell is the label.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.errors import DataError
from mmfuse.types import Dataset, Examples

SOURCE = "https://github.com/declare-lab/multimodal-deep-learning, its folder bc-LSTM/data"


class BcLSTM(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """`column` of a modality is text, audio or video, or words; of a task, label. Groups: video."""
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        kinds = {name: about.get("column") or name for name, about in self.modalities.items()}
        files = [
            f"{kind}/{kind}_{part}0.csv" for kind in kinds.values() if kind != "words" for part in ("train", "test")
        ]
        expect(self.root, ["transcripts.csv", "text_train.csv", "text_test.csv", *files], SOURCE)
        spoken = pd.read_csv(self.root / "transcripts.csv", header=None, dtype=str, keep_default_na=False)
        which = {part: self.numbers(f"text_{part}.csv")[:, 0].astype(int) for part in ("train", "test")}
        lines = spoken.iloc[np.concatenate(list(which.values()))]
        ids = [str(i) for i in lines[0]]
        raw = {}
        for name, kind in kinds.items():
            if kind == "words":
                raw[name] = [text.strip() or None for text in lines[1]]
            else:
                raw[name] = [row for part, rows in which.items() for row in self.features(kind, part, len(rows))]
        own = np.repeat(list(which), [len(rows) for rows in which.values()])
        made = {name: labelled(name, about, list(lines[3]), own) for name, about in self.tasks.items()}
        videos = np.array([i.rpartition("_")[0] for i in ids])
        return Examples(
            raw=raw,
            columns=kinds,
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=ids,
            split=own,
            groups=chosen("group", group, {"video": videos}),
        )

    def numbers(self, file: str) -> np.ndarray:
        try:
            return pd.read_csv(self.root / file, header=None).to_numpy(np.float32)
        except ValueError as error:
            raise DataError(f"{file}: lines of numbers are needed: {error}") from error

    def features(self, kind: str, part: str, n: int) -> np.ndarray:
        """(N, D), without the label that ends each line."""
        features = self.numbers(f"{kind}/{kind}_{part}0.csv")[:, :-1]
        if len(features) != n:
            raise DataError(f"{kind}/{kind}_{part}0.csv has {len(features)} lines, but text_{part}.csv has {n}")
        return features
