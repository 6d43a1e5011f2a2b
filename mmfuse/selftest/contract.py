"""What every fusion owes the rest of the code, as checks that anybody's fusion can be put to.

Each check is called with what makes a fusion from the modalities' widths, and raises `BrokenError` with a sentence that
says what was found. A fusion may refuse numbers of modalities at construction, by a `ValueError` that says so; a check
then takes the largest number up to three that it is made of.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mmfuse import masks
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


def rows_of(signals: Signals, rows: list[int]) -> Signals:
    return {m: Signal(s.data[rows], s.mask[rows]) for m, s in signals.items()}


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


def every_parameter_learns(make: Make) -> None:
    """Every parameter gets a gradient, finite and not zero throughout, and no tensor is left out of `parameters()`."""
    dims = usual(make)
    fusion = made(make, dims)
    fused = fusion.fuse(heard_out(ordinary(fusion, dims)))
    (reading(fused.signal.pooled()) + sum(its_losses(fused).values(), torch.zeros(()))).backward()
    for name, parameter in fusion.named_parameters():
        owed(parameter.grad is not None, f"the parameter {name} gets no gradient")
        assert parameter.grad is not None
        owed(parameter.grad.isfinite().all(), f"the gradient of {name} is not finite")
        owed(parameter.grad.any(), f"the gradient of {name} is zero throughout")
    known = {id(p) for p in fusion.parameters()} | {id(b) for b in fusion.buffers()}
    for part in fusion.modules():
        for name, value in vars(part).items():
            loose = [v for v in (value if isinstance(value, list | tuple) else [value]) if isinstance(v, Tensor)]
            kept = all(id(v) in known for v in loose)
            owed(kept, f"{name} holds a tensor that is neither parameter nor buffer: it is neither trained nor saved")


def gradient_reaches_the_present_and_only_them(make: Make) -> None:
    """Every present modality of a row gets a gradient, and nothing that is masked does."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = {m: Signal(s.data.requires_grad_(), s.mask) for m, s in ordinary(fusion, dims).items()}
    reading(fusion(signals).pooled()).backward()
    for modality, (data, mask) in signals.items():
        grad = data.grad if data.grad is not None else torch.zeros_like(data)
        owed(not grad[~mask].any(), f"masked steps of '{modality}' get a gradient")
        for row in mask.any(dim=1).nonzero().flatten().tolist():
            owed(grad[row].any(), f"'{modality}' of a row that has it gets no gradient")


def what_is_masked_spoils_no_gradient(make: Make) -> None:
    """NaN or infinity behind the mask leaves all gradients finite."""
    dims = usual(make)
    for name in ("NaN", "infinity"):
        fusion = made(make, dims)
        signals = ordinary(fusion, dims)
        filled = {m: Signal(s.data.masked_fill(~s.mask[..., None], GARBAGE[name]), s.mask) for m, s in signals.items()}
        heard = heard_out(filled)
        reading(fusion(heard).pooled()).backward()
        owed(finite_gradients(fusion, heard), f"{name} in masked steps makes gradients that are not finite")


def finite_gradients(fusion: Fusion, heard: Signals) -> bool:
    learned = [*fusion.parameters(), *(s.data for s in heard.values())]
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in learned)


def derivatives_are_right(make: Make) -> None:
    """In double precision gradients are what small differences say."""
    dims = first(min(takes(make), key=lambda n: abs(n - 2)), make)
    fusion = made(make, dims).double()
    signals = sequences(dims, {m: [2, 1] if i != 1 else [2, 0] for i, m in enumerate(dims)})

    def fused(*data: Tensor) -> Tensor:
        return fusion({m: Signal(d, signals[m].mask) for m, d in zip(dims, data, strict=True)}).pooled()

    inputs = [s.data.double().requires_grad_() for s in signals.values()]
    right = torch.autograd.gradcheck(fused, inputs, fast_mode=True, raise_exception=False)
    owed(right, "gradients are not what differences say")


def a_row_without_anything_is_absent(make: Make) -> None:
    """It comes out finite, and its mask says so."""
    for number in [n for n in takes(make) if n <= 3] or takes(make):
        dims = first(number, make)
        fused = made(make, dims)(sequences(dims, {m: [0, 2] for m in dims}))
        owed(fused.data.isfinite().all(), f"of {number} modalities: a row without any is not finite")
        owed(fused.present.tolist() == [False, True], f"of {number} modalities: a row without any is told as present")


def constant_features_are_finite(make: Make) -> None:
    """Zeros, ones and features that are the same in all modalities, forward and back."""
    dims = usual(make)
    for value in (0.0, 1.0):
        fusion = made(make, dims)
        constant = {m: Signal(torch.full_like(s.data, value), s.mask) for m, s in ordinary(fusion, dims).items()}
        heard = heard_out(constant)
        fused = fusion(heard).pooled()
        reading(fused).backward()
        owed(fused.isfinite().all(), f"of features that are all {value:g}, what comes out is not finite")
        owed(finite_gradients(fusion, heard), f"of features that are all {value:g}, gradients are not finite")


def is_the_same_once_saved_and_loaded(make: Make) -> None:
    """Another of its make, with other random numbers, is the same once it has the state of the first."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    torch.manual_seed(7)
    other = make(dims).eval()
    other.load_state_dict(copy.deepcopy(fusion.state_dict()))
    owed(same(other(signals).data, fusion(signals).data), "with the same state another of its make says otherwise")


def says_the_same_twice(make: Make) -> None:
    """In evaluation there is no chance."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = ordinary(fusion, dims)
    owed(same(fusion(signals).data, fusion(signals).data), "in evaluation it says otherwise the second time")


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


def its_losses_are_finite(make: Make) -> None:
    """Losses of its own are single finite numbers in training, also of a single row."""
    dims = usual(make)
    whole = ordinary(made(make, dims), dims)
    fusion = made(make, dims).train()
    for signals in (whole, rows_of(whole, [0])):
        for name, loss in its_losses(fusion.fuse(signals)).items():
            owed(loss.ndim == 0 and loss.isfinite(), f"its loss '{name}' is {loss}")


def works_in_half_precision(make: Make) -> None:
    """Under bfloat16 autocast it comes out finite, forward and back, and close to what it is in full."""
    dims = usual(make)
    fusion = made(make, dims)
    signals = heard_out(ordinary(fusion, dims))
    whole = fusion(signals).pooled()
    with torch.autocast("cpu", torch.bfloat16):
        half = fusion(signals).pooled()
    reading(half.float()).backward()
    owed(half.isfinite().all() and finite_gradients(fusion, signals), "in half precision it is not finite")
    scale = whole.abs().max().clamp(min=1e-3)
    owed(((half.float() - whole).abs().max() / scale) < 0.2, "in half precision something else comes out")


CHECKS: dict[str, Callable[[Make], None]] = {
    check.__name__: check
    for check in (
        returns_one_signal_of_its_own_width,
        does_not_look_at_what_is_masked,
        does_not_hear_an_absent_modality,
        hears_every_modality,
        rows_do_not_leak,
        padding_changes_nothing,
        keeps_the_order_it_was_made_with,
        every_parameter_learns,
        gradient_reaches_the_present_and_only_them,
        what_is_masked_spoils_no_gradient,
        derivatives_are_right,
        a_row_without_anything_is_absent,
        constant_features_are_finite,
        is_the_same_once_saved_and_loaded,
        says_the_same_twice,
        weights_are_shares_of_those_present,
        its_losses_are_finite,
        works_in_half_precision,
    )
}
