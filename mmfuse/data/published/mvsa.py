"""MVSA-Single: tweets of a picture and a text, each judged negative, neutral or positive. As its authors publish it.

Niu et al., Sentiment analysis on multi-view social data, MMM 2016, https://mcrlab.net/research/mvsa-sentiment-analysis-
on-multi-view-social-data/. `labelResultAll.txt` has a line a tweet, its id, a tab, the text's and the picture's label;
`data/` has <id>.jpg and <id>.txt. The two labels become one as in Xu and Mao, MultiSentiNet, CIKM 2017: the same is
itself, neutral gives way to the other, and tweets that are positive in one and negative in the other are left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmfuse.data.published.choice import chosen
from mmfuse.data.published.expected import expect
from mmfuse.data.published.labels import labelled
from mmfuse.errors import ConfigError, DataError
from mmfuse.types import Dataset, Examples

SOURCE = "https://mcrlab.net/research/mvsa-sentiment-analysis-on-multi-view-social-data/"


class MVSA(Dataset):
    def __init__(
        self,
        modalities: Mapping[str, Mapping[str, Any]],
        tasks: Mapping[str, Mapping[str, Any]],
        root: str | None = None,
    ):
        """`column` of a task is sentiment (of both), text_sentiment or image_sentiment."""
        self.modalities, self.tasks, self.root = modalities, tasks, Path(root or ".").expanduser()

    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        chosen("column", split, {})
        chosen("group", group, {})
        expect(self.root, ["labelResultAll.txt", "data"], SOURCE)
        lines = (self.root / "labelResultAll.txt").read_text(encoding="utf-8").splitlines()[1:]
        judged = [read(line, number) for number, line in enumerate(lines, start=2) if line.strip()]
        rows = [(i, text, image) for i, text, image in judged if merged(text, image) is not None]
        ids = [i for i, _, _ in rows]
        cells: dict[str, list[Any]] = {
            "sentiment": [merged(text, image) for _, text, image in rows],
            "text_sentiment": [text for _, text, _ in rows],
            "image_sentiment": [image for _, _, image in rows],
        }
        raw: dict[str, list[Any]] = {}
        for name, about in self.modalities.items():
            if about["kind"] == "text":
                expect(self.root, [f"data/{i}.txt" for i in ids], SOURCE)
                raw[name] = [decoded((self.root / f"data/{i}.txt").read_bytes()) or None for i in ids]
            elif about["kind"] == "image":
                raw[name] = [self.root / f"data/{i}.jpg" for i in ids]
            else:
                raise ConfigError(f"dataset.modalities.{name}.kind={about['kind']}: tweets have kinds text and image")
        made = {}
        for name, about in self.tasks.items():
            column = chosen_column(name, about, cells)
            made[name] = labelled(name, about, column)
        return Examples(
            raw=raw,
            columns={name: f"data/*.{'txt' if a['kind'] == 'text' else 'jpg'}" for name, a in self.modalities.items()},
            targets={name: target for name, (_, target) in made.items()},
            tasks={name: task for name, (task, _) in made.items()},
            ids=ids,
        )


def chosen_column(name: str, about: Mapping[str, Any], cells: Mapping[str, list[Any]]) -> list[Any]:
    column = about.get("column") or name
    if column not in cells:
        raise ConfigError(f"dataset.tasks.{name}.column={column}: tweets have {', '.join(cells)}")
    return cells[column]


def read(line: str, number: int) -> tuple[str, str, str]:
    try:
        i, labels = line.split("\t")
        text, image = labels.strip().split(",")
    except ValueError as error:
        raise DataError(
            f"labelResultAll.txt, line {number}: an id, a tab and two labels are needed, but it is '{line[:60]}'"
        ) from error
    return i.strip(), text.strip(), image.strip()


def merged(text: str, image: str) -> str | None:
    """
    >>> merged("neutral", "positive"), merged("negative", "negative"), merged("positive", "negative")
    ('positive', 'negative', None)
    """
    if text == image or image == "neutral":
        return text
    return image if text == "neutral" else None


def decoded(content: bytes) -> str:
    """A tweet is UTF-8 or, in some of the files, an older one-byte code."""
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return content.decode("latin-1").strip()
