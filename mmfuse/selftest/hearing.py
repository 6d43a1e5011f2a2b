"""What a fusion owes of what it hears: masks, rows, order, padding, absence."""

import torch

from mmfuse import masks
from mmfuse.selftest.specimens import (
    GARBAGE,
    Make,
    first,
    made,
    near,
    ordinary,
    owed,
    rows_of,
    same,
    sequences,
    takes,
    usual,
)
from mmfuse.types import Signal


def returns_one_signal_of_its_own_width(make: Make) -> None:
    """One signal comes out, as wide as `dim` says, finite and present wherever something is."""
    for number in takes(make):
        dims = first(number, make)
        fusion = made(make, dims)
        for rows in (1, 2, 5):
            fused = fusion(sequences(dims, {m: [3, 1, 2, 1, 3][:rows] for m in dims}))
            place = f"of {number} modalities and {rows} rows"
            shape = (fused.data.shape[0], fused.data.shape[-1])
            fits = fused.data.ndim == 3 and shape == (rows, fusion.dim)
            owed(fits, f"{place}: its data are {tuple(fused.data.shape)}, and its dim {fusion.dim}")
            masked = fused.mask.dtype == torch.bool and fused.mask.shape == fused.data.shape[:2]
            owed(masked, f"{place}: its mask does not fit its data")
            owed(fused.present.all(), f"{place}: a row that has all modalities is told as absent")
            owed(fused.data.isfinite().all(), f"{place}: what comes out is not finite")


def does_not_look_at_what_is_masked(make: Make) -> None:
    """Whatever stands in a masked step, the output is the same to the last bit."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    expected = fusion(signals)
    for name, value in GARBAGE.items():
        filled = {m: Signal(s.data.masked_fill(~s.mask[..., None], value), s.mask) for m, s in signals.items()}
        found = fusion(filled)
        alike = same(found.data, expected.data) and same(found.mask, expected.mask)
        owed(alike, f"{name} in masked steps changes what comes out")


def does_not_hear_an_absent_modality(make: Make) -> None:
    """What an absent modality holds changes nothing."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    for modality in dims:
        absent = masks.keep(signals, set(dims) - {modality})
        data, mask = absent[modality]
        expected = fusion(absent).data
        for name, value in GARBAGE.items():
            found = fusion(absent | {modality: Signal(torch.full_like(data, value), mask)}).data
            owed(same(found, expected), f"{name} in '{modality}', which is absent, changes what comes out")


def hears_every_modality(make: Make) -> None:
    """Without a modality something else comes out."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    whole = fusion(signals).pooled()[0]
    for modality in dims:
        without = fusion(masks.keep(signals, set(dims) - {modality})).pooled()[0]
        owed(not near(without, whole, 1e-5), f"'{modality}' makes no difference")


def rows_do_not_leak(make: Make) -> None:
    """A row comes out alike alone, in a batch, and in a batch of another order."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    whole = fusion(signals).pooled()
    alone = torch.cat([fusion(rows_of(signals, [i])).pooled() for i in range(5)])
    owed(near(alone, whole, 1e-5), "a row comes out otherwise in a batch than alone")
    order = [3, 0, 4, 2, 1]
    owed(near(fusion(rows_of(signals, order)).pooled(), whole[order], 1e-5), "rows depend on their order in the batch")


def padding_changes_nothing(make: Make) -> None:
    """Three more masked steps, full of 1e30, change nothing."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    padded = {
        m: Signal(
            torch.cat([s.data, torch.full_like(s.data[:, :1], 1e30).expand(-1, 3, -1)], dim=1),
            torch.cat([s.mask, torch.zeros_like(s.mask[:, :1]).expand(-1, 3)], dim=1),
        )
        for m, s in signals.items()
    }
    owed(near(fusion(padded).pooled(), fusion(signals).pooled(), 1e-5), "padding changes what comes out")


def keeps_the_order_it_was_made_with(make: Make) -> None:
    """Modalities are told by their names, whatever order they come in."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    found = fusion(dict(reversed(signals.items()))).data
    owed(same(found, fusion(signals).data), "modalities that come in another order are taken for each other")


def a_row_without_anything_is_absent(make: Make) -> None:
    """It comes out finite, and its mask says so."""
    for number in [n for n in takes(make) if n <= 3] or takes(make):
        dims = first(number, make)
        fused = made(make, dims)(sequences(dims, {m: [0, 2] for m in dims}))
        owed(fused.data.isfinite().all(), f"of {number} modalities: a row without any is not finite")
        owed(fused.present.tolist() == [False, True], f"of {number} modalities: a row without any is told as present")


def weights_are_shares_of_those_present(make: Make) -> None:
    """What it hands out as weights is not negative, 0 for the absent, and 1 in sum."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    weights = fusion.fuse(signals).weights
    if weights is None:
        return
    present = torch.stack([s.present for s in signals.values()], dim=1)
    owed(weights.shape == present.shape, f"weights are {tuple(weights.shape)}, and not (rows, modalities)")
    owed((weights >= 0).all(), "a weight is negative")
    owed(not weights[~present].any(), "an absent modality has a weight")
    owed(near(weights.sum(dim=1), present.any(dim=1).float(), 1e-5), "weights do not sum to 1")
