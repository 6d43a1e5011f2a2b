"""Fusions and signals of the shapes that a fusion has to bear, and what is asked of what comes out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmfuse.errors import DataError
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Fused, Fusion, Losses, Signal, Signals

Make = Callable[[dict[str, int]], Fusion]

WIDTHS = {"text": 6, "image": 5, "audio": 4, "depth": 3}  # not in the alphabet's order
LENGTHS = {"text": [5, 2, 1, 3, 0], "image": [4, 4, 1, 0, 0], "audio": [1, 3, 1, 2, 0], "depth": [2, 1, 1, 0, 0]}
GARBAGE = {"noise": 7.0, "1e30": 1e30, "NaN": float("nan"), "infinity": float("inf")}


class BrokenError(Exception):
    """What a fusion owes and does not keep, in a sentence."""


def owed(holds: Any, said: str) -> None:
    if not bool(holds):
        raise BrokenError(said)


def first(number: int, make: Make) -> dict[str, int]:
    """That many modalities; of one width, as logits of classes are, for a fusion that takes decisions."""
    dims = dict(list(WIDTHS.items())[:number])
    return dict.fromkeys(dims, 4) if decides(make) else dims


def decides(make: Make) -> bool:
    for number in range(1, 5):
        try:
            return make(dict.fromkeys(list(WIDTHS)[:number], 4)).decides
        except ValueError:
            continue  # not of that number
    return False


def made(make: Make, dims: dict[str, int]) -> Fusion:
    torch.manual_seed(0)
    return make(dims).eval()


def takes(make: Make) -> list[int]:
    """The numbers of modalities, of one to four, that it can be made of."""
    found = []
    for number in range(1, 5):
        try:
            make(first(number, make))
        except ValueError as error:
            owed("modalit" in str(error), f"{number} modalities are refused without a word on their number: {error}")
            continue
        found.append(number)
    owed(found, "it can be made of no number of modalities from one to four")
    return found


def usual(make: Make) -> dict[str, int]:
    """Three modalities, or as many as it takes up to that."""
    numbers = takes(make)
    return first(3 if 3 in numbers else max(numbers), make)


def sequences(dims: Mapping[str, int], lengths: Mapping[str, Sequence[int]]) -> Signals:
    """Random steps; a length of 0 is an absent modality."""
    random, found = torch.Generator().manual_seed(1), {}
    for modality, width in dims.items():
        mask = torch.arange(max(1, *lengths[modality])) < torch.tensor(lengths[modality])[:, None]  # (B, T)
        found[modality] = Signal(torch.randn(*mask.shape, width, generator=random), mask)
    return found


def ordinary(fusion: Fusion, dims: Mapping[str, int]) -> Signals:
    """Five rows: full, padded, of one step; one without some modalities, one without any.

    A fusion of steps side by side, which refuses a row whose modalities are of unequal lengths, gets them equal.
    """
    signals = sequences(dims, {m: LENGTHS[m] for m in dims})
    try:
        fusion(signals)
    except DataError:
        longest = LENGTHS["text"]
        equal = {m: [length and most for length, most in zip(LENGTHS[m], longest, strict=True)] for m in dims}
        return sequences(dims, equal)
    return signals


def reading(fused: Tensor) -> Tensor:
    """One number that all of (B, dim) goes into, each feature with a weight of its own: a length may be constant."""
    weights = torch.randn(fused.shape[1], generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return (fused * weights.to(fused)).sum()


def heard_out(signals: Signals) -> Signals:
    """The same, whose data get gradients: a fusion may have no parameters."""
    return {m: Signal(s.data.clone().requires_grad_(), s.mask) for m, s in signals.items()}


def its_losses(fused: Fused) -> Losses:
    """Those that need to be told what is right among them."""
    if fused.lesson is None:
        return fused.losses
    rows, classes = fused.signal.data.shape[0], fused.signal.data.shape[2]
    task = Multiclass([str(k) for k in range(classes)])
    return {**fused.losses, **fused.lesson(task, torch.arange(rows) % classes, torch.arange(rows))}


def near(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return bool(torch.allclose(found, expected, atol=tolerance, rtol=tolerance))


def same(found: Tensor, expected: Tensor) -> bool:
    return bool(torch.equal(found, expected))


def rows_of(signals: Signals, rows: list[int]) -> Signals:
    return {m: Signal(s.data[rows], s.mask[rows]) for m, s in signals.items()}


def finite_gradients(fusion: Fusion, heard: Signals) -> bool:
    learned = [*fusion.parameters(), *(s.data for s in heard.values())]
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in learned)
