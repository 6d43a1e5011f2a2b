"""The steps of all modalities side by side, for methods in which step t of one is the moment of step t of another."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mmfuse.errors import DataError
from mmfuse.shown import shown
from mmfuse.types import Signal, Signals

Align = Literal["require", "trust", "resample"]


def aligned(signals: Signals, modalities: Sequence[str], align: Align) -> Signals:
    """As many steps of each, zeros where one is masked.

    `require` refuses a row whose modalities end at different steps, `trust` takes them by number and lets the shorter
    end, `resample` repeats or leaves out real steps, evenly, so that each has as many as the row's longest.
    """
    filled = {m: Signal(shown(s.data, s.mask.unsqueeze(-1)), s.mask) for m, s in signals.items()}
    filled = {m: filled[m] for m in modalities}
    if align == "require":
        require_equal(filled)
    return resampled(filled) if align == "resample" else widened(filled)


def require_equal(signals: Signals) -> None:
    found = torch.stack([ends(s.mask) for s in signals.values()], dim=1)  # (B, M)
    longest = found.amax(dim=1, keepdim=True)
    unequal = ((found > 0) & (found < longest)).any(dim=1)  # (B,)
    if not torch.compiler.is_compiling() and unequal.any():  # an exported model cannot raise by what a row holds
        row = found[unequal][0].tolist()
        steps = ", ".join(f"{m} {number}" for m, number in zip(signals, row, strict=True) if number)
        raise DataError(
            f"this fusion sets the steps of modalities side by side, and a row ends at steps that differ: {steps}\n"
            "  to go on: fusion.align=resample stretches the shorter ones, fusion.align=trust lets them end,\n"
            "  and fusion=early_tokens, mult or bottleneck need no alignment"
        )


def widened(signals: Signals) -> Signals:
    """Padded to one number of steps."""
    steps = max(s.mask.shape[1] for s in signals.values())
    return {m: Signal(padded(s.data, steps), padded(s.mask, steps)) for m, s in signals.items()}


def padded(values: Tensor, steps: int) -> Tensor:
    """(B, T, ...) -> (B, steps, ...), zeros or False at the end."""
    if values.shape[1] == steps:
        return values
    more = values.new_zeros(values.shape[0], steps - values.shape[1], *values.shape[2:])
    return torch.cat([values, more], dim=1)


def resampled(signals: Signals) -> Signals:
    numbers = torch.stack([s.mask.sum(dim=1) for s in signals.values()], dim=1)  # (B, M)
    longest = numbers.amax(dim=1, keepdim=True)  # (B, 1)
    steps = torch.arange(max(s.mask.shape[1] for s in signals.values()), device=longest.device)  # (T,)
    return {m: spread(s, longest, steps) for m, s in signals.items()}


def spread(signal: Signal, longest: Int[Tensor, "B 1"], steps: Int[Tensor, " T"]) -> Signal:
    """Of n real steps, step floor(t n / longest) stands at t."""
    number = signal.mask.sum(dim=1, keepdim=True)  # (B, 1)
    real_first = (~signal.mask).long().argsort(dim=1, stable=True)  # (B, T_m)
    which = (steps * number // longest.clamp(min=1)).clamp(max=signal.mask.shape[1] - 1)  # (B, T)
    place = real_first.gather(1, which)  # (B, T)
    mask = (steps < longest) & (number > 0)  # (B, T)
    data = signal.data.gather(1, place.unsqueeze(-1).expand(-1, -1, signal.data.shape[2]))  # (B, T, D)
    return Signal(data.masked_fill(~mask.unsqueeze(-1), 0.0), mask)


def ends(mask: Bool[Tensor, "B T"]) -> Int[Tensor, " B"]:
    """The number of the step after the last real one; 0 where none is."""
    return (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(dim=1)
