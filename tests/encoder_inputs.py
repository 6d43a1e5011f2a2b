"""What the encoders of each kind, and some by their names, are tested on: by the folder of a config, or by its path."""

from collections.abc import Callable
from importlib.util import find_spec
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tiny_models as tiny
import torch
from torch import Tensor

LIBRARIES = {"image/timm": "timm"}  # that are optional, by who needs them


def broken(library: str) -> str:
    """Why it cannot be imported, or nothing."""
    if find_spec(library) is None:
        return f"{library} is not installed"
    try:
        __import__(library)
    except (ImportError, RuntimeError) as error:
        return f"{library} is broken: {error}"
    return ""


def with_library(config: Path) -> Any:
    why = broken(library) if (library := LIBRARIES.get(f"{config.parent.name}/{config.stem}")) else ""
    return pytest.param(config, marks=pytest.mark.skipif(bool(why), reason=why))


CONFIGS = [with_library(f) for f in sorted((Path(__file__).parents[1] / "configs/encoder").glob("*/*.yaml"))]


class Reads(NamedTuple):
    size: int  # what the encoder is made with
    lengths: tuple[int, ...]  # steps of each row; one row lacks the modality
    garbage: float  # what its data cannot be
    data: Callable[[int, int], Tensor]  # rows, steps -> (B, T, ...) of what it reads
    parts: Callable[[], dict[str, Any]] = dict  # what else it is made with
    keys: Callable[[], dict[str, Any]] = dict  # other values than its file's, such as a smaller width


def words(rows: int, steps: int) -> Tensor:
    return torch.randint(1, 28, (rows, steps))


def waves(rows: int, steps: int) -> Tensor:
    return 0.1 * torch.randn(rows, steps)


def pictures(rows: int, steps: int) -> Tensor:
    return torch.randint(256, (rows, steps, 3, 9, 12), dtype=torch.uint8)


def pixels(rows: int, steps: int) -> Tensor:
    return torch.randn(rows, steps, 3, 16, 16)


def vectors(rows: int, steps: int) -> Tensor:
    return torch.randn(rows, steps, 5)


def many_words(rows: int, steps: int) -> Tensor:
    """So many that what is linear in them can tell any rows apart."""
    return torch.randint(1, 200, (rows, steps))


def terms(rows: int, steps: int) -> Tensor:
    return torch.stack([many_words(rows, steps).float(), torch.rand(rows, steps)], dim=2)


def small_frames() -> dict[str, Any]:
    frame = {"_target_": "mmfuse.encoders.cnn.CNN", "_partial_": True, "dim": 32, "widths": [16], "groups": 8}
    return {"frame": frame, "over_time": "transformer"}


def cells(rows: int, steps: int) -> Tensor:
    """As COLUMNS has them: a number, one that says whether it is missing, and one of four categories or none."""
    missing = torch.rand(rows, steps, 1) < 0.2
    number = torch.randn(rows, steps, 1).masked_fill(missing, 0.0)
    category = torch.eye(5)[torch.randint(5, (rows, steps))][..., :4]
    return torch.cat([torch.randn(rows, steps, 1), number, missing.float(), category], dim=2)


COLUMNS = [("number", 1), ("number", 2), ("category", 4)]


READS = {
    "text": Reads(30, (6, 1, 0, 3), 10**6, words),
    "text/bag": Reads(200, (6, 1, 0, 3), 10**6, many_words),
    "text/tfidf": Reads(200, (6, 1, 0, 3), float("nan"), terms),
    "text/transformer": Reads(30, (6, 1, 0, 3), 10**6, words, keys=lambda: {"dim": 32, "feedforward": 64}),
    "audio": Reads(8000, (2000, 700, 0, 1), float("nan"), waves),
    "image": Reads(3, (1, 1, 0, 1), 255, pictures),
    "image/vgg16": Reads(3, (1, 1, 0, 1), 255, pictures, keys=lambda: {"width": 8}),
    "image/resnet18": Reads(3, (1, 1, 0, 1), 255, pictures, keys=lambda: {"stem": 8, "widths": [8, 8, 16, 16]}),
    "image/resnet50": Reads(
        3, (1, 1, 0, 1), 255, pictures, keys=lambda: {"stem": 8, "depths": [1] * 4, "widths": [16] * 4}
    ),
    "image/timm": Reads(3, (1, 1, 0, 1), 255, pictures, keys=lambda: {"model": "test_efficientnet"}),
    "sequence": Reads(5, (6, 1, 0, 3), float("nan"), vectors),
    "vector": Reads(5, (1, 1, 0, 1), float("inf"), vectors),
    "video": Reads(3, (4, 1, 0, 2), 255, pictures),
    "video/frames": Reads(3, (4, 1, 0, 2), 255, pictures, keys=small_frames),
    "video/cnn3d": Reads(3, (4, 1, 0, 2), 255, pictures, keys=lambda: {"dim": 32, "widths": [16]}),
    "tabular": Reads(5, (1, 1, 0, 1), float("inf"), vectors),
    "text/hf": Reads(28, (6, 1, 0, 3), 10**6, words, keys=lambda: {"model": tiny.bert(), "freeze": False}),
    "image/hf": Reads(3, (1, 1, 0, 1), nan, pixels, keys=lambda: {"model": tiny.vit(), "freeze": False}),
    "audio/hf": Reads(
        8000, (900, 300, 0, 1), nan, waves, keys=lambda: {"model": tiny.wav2vec2("layer"), "freeze": False}
    ),
    "tabular/embed_mlp": Reads(7, (1, 1, 0, 1), float("inf"), cells, lambda: {"columns": COLUMNS}),
    "tabular/ft_transformer": Reads(
        7,
        (1, 1, 0, 1),
        float("inf"),
        cells,
        lambda: {"columns": COLUMNS},
        lambda: {"dim": 32, "layers": 2, "feedforward": 64, "attention_dropout": 0.0, "dropout": 0.0},
    ),
}


def reads(config: Path) -> Reads:
    """By "text/tfidf" if it is there, else by "text"."""
    return READS.get(f"{config.parent.name}/{config.stem}", READS[config.parent.name])


def encoder_id(config: Path) -> str:
    return f"{config.parent.name}-{config.stem}"
