"""CREMA-D: actors say twelve sentences in six moods, seen and heard. As its authors publish it.

Cao et al., CREMA-D: crowd-sourced emotional multimodal actors dataset, 2014, https://doi.org/10.1109/TAFFC.2014.2336244,
https://github.com/CheyneyComputerScience/CREMA-D. A clip's file name says actor, sentence, mood and its strength, such
as 1001_DFA_ANG_XX. The labels are read from it, and no model is given it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect, missing
from mmfuse.data.published.labels import labelled
from mmfuse.errors import ConfigError, DataError
from mmfuse.types import Dataset, Examples

SOURCE = "https://github.com/CheyneyComputerScience/CREMA-D (with git-lfs)"
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")
EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high"}  # XX: unspecified
FOLDERS = {"audio": ("AudioWAV", ".wav"), "video": ("VideoFlash", ".flv")}


class CREMAD(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """Modalities of kinds audio and video. Tasks emotion, sentence and level. Groups: speaker, the actor."""
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        for name, about in self.modalities.items():
            if about["kind"] not in FOLDERS:
                raise ConfigError(f"dataset.modalities.{name}.kind={about['kind']}: clips have kinds audio and video")
        kinds = [FOLDERS[about["kind"]] for about in self.modalities.values()]
        expect(self.root, [folder for folder, _ in kinds], SOURCE)
        clips = sorted({file.stem for folder, suffix in kinds for file in (self.root / folder).glob(f"*{suffix}")})
        if not clips:
            missing(
                self.root,
                [f"{kinds[0][0]}/*{kinds[0][1]}"],
                [f"{folder}/*{suffix}" for folder, suffix in kinds],
                SOURCE,
            )
        said = [parts(clip) for clip in clips]
        cells: dict[str, list[Any]] = {
            "emotion": [EMOTIONS[emotion] for _, _, emotion, _ in said],
            "sentence": [sentence for _, sentence, _, _ in said],
            "level": [LEVELS.get(level) for _, _, _, level in said],
        }
        made = {}
        for name, about in self.tasks.items():
            column = about.get("column") or name
            if column not in cells:
                raise ConfigError(f"dataset.tasks.{name}.column={column}: clips have {', '.join(cells)}")
            made[name] = labelled(name, about, cells[column])
        return Examples(
            raw={
                name: [self.root / folder / f"{clip}{suffix}" for clip in clips]
                for name, (folder, suffix) in zip(self.modalities, kinds, strict=True)
            },
            columns={name: folder for name, (folder, _) in zip(self.modalities, kinds, strict=True)},
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=clips,
            groups=chosen("group", group, {"speaker": np.array([actor for actor, _, _, _ in said])}),
        )


def parts(clip: str) -> tuple[str, str, str, str]:
    """
    >>> parts("1001_DFA_ANG_XX")
    ('1001', 'DFA', 'ANG', 'XX')
    """
    match = NAME.fullmatch(clip)
    if match is None or match.group(3) not in EMOTIONS:
        raise DataError(f"the clip {clip} is not named ACTOR_SENTENCE_MOOD_LEVEL, such as 1001_DFA_ANG_XX")
    actor, sentence, emotion, level = match.groups()
    return actor, sentence, emotion, level
