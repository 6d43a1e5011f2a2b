"""One pass of a frozen encoder over prepared rows: in large batches of rows of like length, in half precision where the
device has it (bfloat16 autocast; Kalamkar et al., 2019, https://arxiv.org/abs/1905.12322)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Int
from torch import Tensor

from mmfuse.data.columns import Stored
from mmfuse.types import Encoder, Ragged, Signal

# Steps that a batch computes at first; halved where memory runs out. On a CPU, larger ones no longer fit its caches.
BUDGET = {"cpu": 1024, "cuda": 131_072}


def halved(device: torch.device, precision: str) -> bool:
    """Whether bfloat16 is used: "auto" is where the device computes with it, and not just on it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def encode(encoder: Encoder, prepared: Ragged, device: torch.device, half: bool, cost: float = 1.0) -> Ragged:
    """What the encoder says of each row: its real steps, (S, D) float32 on the CPU. Each step read costs `cost`."""
    lengths, column = prepared.lengths, Stored(prepared)
    found = [torch.empty(0, encoder.dim)] * len(lengths)
    budget = max(1, int(BUDGET.get(device.type, BUDGET["cpu"]) / cost))
    waiting = torch.argsort(lengths, descending=True, stable=True)[: int((lengths > 0).sum())]  # the longest first
    while len(waiting):
        rows = waiting[: max(1, budget // int(lengths[waiting[0]]))]
        try:
            for row, steps in zip(rows.tolist(), said(encoder, column, rows, device, half), strict=True):
                found[row] = steps
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise
            budget = len(rows) // 2 * int(lengths[waiting[0]])
            continue
        waiting = waiting[len(rows) :]
    return Ragged(torch.cat([*found, torch.empty(0, encoder.dim)]), torch.tensor([len(steps) for steps in found]))


def said(
    encoder: Encoder, column: Stored, rows: Int[Tensor, " B"], device: torch.device, half: bool
) -> Iterator[Tensor]:
    """(T, D) of each row."""
    data, mask = column.batch(rows)
    faster: AbstractContextManager = torch.autocast(device.type, torch.bfloat16) if half else nullcontext()
    with torch.inference_mode(), faster:
        encoded = encoder(Signal(data.to(device), mask.to(device)))
    steps = encoded.data.float().cpu()
    yield from (row[real] for row, real in zip(steps, encoded.mask.cpu(), strict=True))
