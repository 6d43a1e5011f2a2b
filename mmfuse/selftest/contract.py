"""What every fusion owes the rest of the code, as checks that anybody's fusion can be put to.

Each check is called with what makes a fusion from the modalities' widths, and raises `BrokenError` with a sentence that
says what was found. A fusion may refuse numbers of modalities at construction, by a `ValueError` that says so; a check
then takes the largest number up to three that it is made of.
"""

import copy
from collections.abc import Callable

import torch

from mmfuse.selftest.hearing import (
    a_row_without_anything_is_absent,
    does_not_hear_an_absent_modality,
    does_not_look_at_what_is_masked,
    hears_every_modality,
    keeps_the_order_it_was_made_with,
    padding_changes_nothing,
    returns_one_signal_of_its_own_width,
    rows_do_not_leak,
    weights_are_shares_of_those_present,
)
from mmfuse.selftest.learning import (
    derivatives_are_right,
    every_parameter_learns,
    gradient_reaches_the_present_and_only_them,
    its_losses_are_finite,
    what_is_masked_spoils_no_gradient,
)
from mmfuse.selftest.specimens import (
    Make,
    finite_gradients,
    heard_out,
    made,
    ordinary,
    owed,
    reading,
    same,
    usual,
)
from mmfuse.types import Signal


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
