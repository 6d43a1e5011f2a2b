"""Zeros where a mask is False: the same by either way, and where models run side by side or are traced."""

import numpy as np
import torch
from torch.func import vmap

from mmfuse.shown import shown


def test_what_is_hidden_reaches_neither_values_nor_gradients():
    data = torch.tensor([[1.0, 2.0], [torch.nan, torch.inf]], requires_grad=True)
    found = shown(data, torch.tensor([[True], [False]]))
    found.square().sum().backward()
    np.testing.assert_array_equal(found.detach().numpy(), [[1, 2], [0, 0]])
    np.testing.assert_array_equal(data.grad.numpy(), [[2, 4], [0, 0]])


def test_where_nothing_is_hidden_nothing_is_copied():
    data = torch.randn(3, 2)
    assert shown(data, torch.ones(3, 1, dtype=torch.bool)) is data


def test_models_side_by_side_each_have_their_mask():
    data, masks = torch.randn(3, 4), torch.rand(3, 4) > 0.5
    masks[0] = True
    np.testing.assert_array_equal(vmap(shown)(data, masks).numpy(), (data * masks).numpy())


def test_a_traced_model_hides_what_its_next_rows_hide():
    class Shows(torch.nn.Module):
        def forward(self, data, mask):
            return shown(data, mask)

    data, full = torch.randn(3, 4), torch.ones(3, 4, dtype=torch.bool)
    exported = torch.export.export(Shows(), (data, full)).module()
    mask = torch.rand(3, 4) > 0.5
    np.testing.assert_array_equal(exported(data, mask).numpy(), (data * mask).numpy())
