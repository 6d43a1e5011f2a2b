"""What the encoders of each kind, and some by their names, are tested on: by the folder of a config, or by its path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

CONFIGS = sorted((Path(__file__).parents[1] / "configs/encoder").glob("*/*.yaml"))


class Reads(NamedTuple):
    size: int  # what the encoder is made with
    lengths: tuple[int, ...]  # steps of each row; one row lacks the modality
    garbage: float  # what its data cannot be
    data: Callable[[int, int], Tensor]  # rows, steps -> (B, T, ...) of what it reads
    parts: Callable[[], dict[str, Any]] = dict  # what else it is made with
    keys: Callable[[], dict[str, Any]] = dict  # other values than its file's, such as a smaller width


def words(rows: int, steps: int) -> Tensor:
    return torch.randint(1, 30, (rows, steps))


def waves(rows: int, steps: int) -> Tensor:
    return 0.1 * torch.randn(rows, steps)


def pictures(rows: int, steps: int) -> Tensor:
    return torch.randint(256, (rows, steps, 3, 9, 12), dtype=torch.uint8)


def vectors(rows: int, steps: int) -> Tensor:
    return torch.randn(rows, steps, 5)


def cells(rows: int, steps: int) -> Tensor:
    """As COLUMNS has them: a number, one that says whether it is missing, and one of four categories or none."""
    missing = torch.rand(rows, steps, 1) < 0.2
    number = torch.randn(rows, steps, 1).masked_fill(missing, 0.0)
    category = torch.eye(5)[torch.randint(5, (rows, steps))][..., :4]
    return torch.cat([torch.randn(rows, steps, 1), number, missing.float(), category], dim=2)


COLUMNS = [("number", 1), ("number", 2), ("category", 4)]


READS = {
    "text": Reads(30, (6, 1, 0, 3), 10**6, words),
    "audio": Reads(8000, (2000, 700, 0, 1), float("nan"), waves),
    "image": Reads(3, (1, 1, 0, 1), 255, pictures),
    "sequence": Reads(5, (6, 1, 0, 3), float("nan"), vectors),
    "vector": Reads(5, (1, 1, 0, 1), float("inf"), vectors),
    "video": Reads(3, (4, 1, 0, 2), 255, pictures),
    "tabular": Reads(5, (1, 1, 0, 1), float("inf"), vectors),
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
