"""torch's fused optimizers, taken on a CPU: the same steps, in one call each."""

from functools import partial

import pytest
import torch
from lightning_fabric.plugins.precision.amp import _optimizer_handles_unscaling
from torch import nn
from torch.optim import SGD, Adam, AdamW, RMSprop

from mmfuse.learner.one_call import fused

KINDS = [
    partial(AdamW, lr=0.01, weight_decay=0.1),
    partial(Adam, lr=0.01, amsgrad=True),
    partial(SGD, lr=0.01, momentum=0.9, nesterov=True),
]


def after_steps(make, mend) -> torch.Tensor:
    """The weights after twenty steps towards the first column, one of which had no gradient for the bias."""
    torch.manual_seed(0)
    model, x = nn.Linear(5, 1), torch.randn(64, 5)
    optimizer = mend(make(model.parameters()))
    for step in range(20):
        model.zero_grad()
        (model(x)[:, 0] - x[:, 0]).square().mean().backward()
        if step == 3:
            model.bias.grad = None
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("make", KINDS)
def test_steps_are_those_of_the_plain_form(make):
    torch.testing.assert_close(after_steps(make, fused), after_steps(make, lambda plain: plain), rtol=1e-5, atol=1e-6)


def test_is_what_runs_unless_another_form_was_asked_for():
    weights = [nn.Parameter(torch.ones(2))]
    assert [fused(make(weights)).param_groups[0]["fused"] for make in KINDS] == [True] * 3
    assert not fused(AdamW(weights, foreach=True)).param_groups[0]["fused"]
    assert not fused(AdamW(weights, fused=False)).param_groups[0]["fused"]
    assert "fused" not in fused(RMSprop(weights)).param_groups[0]  # which has no such form


def test_gradients_can_still_be_clipped_where_numbers_are_half_as_long():
    weights = [nn.Parameter(torch.ones(2))]
    assert not any(_optimizer_handles_unscaling(fused(make(weights))) for make in KINDS)
