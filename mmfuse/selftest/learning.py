"""What a fusion owes of what it learns by: gradients and losses."""

import torch
from torch import Tensor

from mmfuse.selftest.specimens import (
    GARBAGE,
    Make,
    finite_gradients,
    first,
    heard_out,
    its_losses,
    made,
    ordinary,
    owed,
    reading,
    rows_of,
    sequences,
    takes,
    usual,
)
from mmfuse.types import Signal


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


def its_losses_are_finite(make: Make) -> None:
    """Losses of its own are single finite numbers in training, also of a single row."""
    dims = usual(make)
    whole = ordinary(made(make, dims), dims)
    fusion = made(make, dims).train()
    for signals in (whole, rows_of(whole, [0])):
        for name, loss in its_losses(fusion.fuse(signals)).items():
            owed(loss.ndim == 0 and loss.isfinite(), f"its loss '{name}' is {loss}")
