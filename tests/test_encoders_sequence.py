"""What encoders of sequences are held to: torch's own layers row by row, and what their papers say they look at."""

import numpy as np
import pytest
import torch
from torch import nn

from mmfuse.encoders.linear import Linear
from mmfuse.encoders.lstm import LSTM
from mmfuse.encoders.step_transformer import StepTransformer
from mmfuse.encoders.tcn import TCN
from mmfuse.sinusoids import sinusoids
from mmfuse.types import Signal

LENGTHS = (5, 1, 3, 4)


@pytest.fixture
def padded():
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


class TestLSTM:
    @pytest.mark.parametrize("layers", [1, 2])
    def test_packed_is_the_lstm_one_by_one(self, padded, layers):
        encoder, data = LSTM(3, dim=8, layers=layers).eval(), torch.randn(4, 5, 3)
        encoded = encoder(Signal(data, padded)).data
        for row, length in enumerate(LENGTHS):
            alone, _ = encoder.rnn(data[[row], :length])
            torch.testing.assert_close(encoded[[row], :length], alone)

    def test_a_step_that_is_missing_between_others_is_zeros_to_those(self):
        encoder, data = LSTM(3, dim=8).eval(), torch.randn(1, 5, 3)
        mask = torch.tensor([[True, True, False, True, True]])
        expected, _ = encoder.rnn(data * mask.unsqueeze(-1))
        torch.testing.assert_close(encoder(Signal(data, mask)).data[mask], expected[mask])

    def test_refuses_a_width_that_two_directions_cannot_share(self):
        with pytest.raises(ValueError, match="dim=7"):
            LSTM(3, dim=7)


def seen(encoder, steps, at, size=2):
    """(T,) which steps change what comes out at one of them. Their gradients are summed over many starts."""
    data = torch.randn(50, steps, size, requires_grad=True)
    encoder.eval()(Signal(data, torch.ones(50, steps, dtype=torch.bool))).data[:, at].sum().backward()
    return data.grad.abs().sum(dim=(0, 2)) > 0


class TestTCN:
    @pytest.mark.parametrize(("layers", "kernel"), [(1, 2), (1, 3), (2, 3), (3, 2), (4, 3)])
    def test_looks_back_as_far_as_it_says_and_never_ahead(self, layers, kernel):
        behind = 2 * (kernel - 1) * (2**layers - 1)
        encoder, at = TCN(2, dim=16, layers=layers, kernel=kernel), behind + 3
        expected = torch.zeros(at + 4, dtype=torch.bool)
        expected[3 : at + 1] = True
        assert torch.equal(seen(encoder, at + 4, at), expected)

    def test_is_causal_convolutions_with_a_skip(self):
        """One layer, by numpy: relu(W_s x + relu(W_2 * relu(W_1 * x))), with rows of W as long as their gains."""
        encoder = TCN(2, dim=3, layers=1, kernel=2, dropout=0.5).eval()
        layer = encoder.layers[0]
        data = torch.randn(1, 6, 2)

        def convolved(steps, convolve):
            v = convolve.parametrizations.weight.original1.detach().numpy()  # (out, in, 2)
            gain = convolve.parametrizations.weight.original0.detach().numpy()
            weight = gain * v / np.sqrt((v**2).sum(axis=(1, 2), keepdims=True))
            before = np.vstack([np.zeros((1, steps.shape[1])), steps[:-1]])
            bias = convolve.bias.detach().numpy()
            return np.maximum(before @ weight[:, :, 0].T + steps @ weight[:, :, 1].T + bias, 0)

        steps = data[0].numpy()
        skipped = steps @ layer.skip.weight[:, :, 0].detach().numpy().T + layer.skip.bias.detach().numpy()
        for convolve in layer.convolve:
            nn.init.uniform_(convolve.parametrizations.weight.original0, 0.5, 2.0)
            steps = convolved(steps, convolve)
        encoded = encoder(Signal(data, torch.ones(1, 6, dtype=torch.bool))).data[0]
        np.testing.assert_allclose(encoded.detach().numpy(), np.maximum(skipped + steps, 0), atol=1e-5)

    def test_missing_steps_before_the_first_are_as_none(self):
        """As the border is: all that a convolution finds there is zeros."""
        encoder, data = TCN(2, dim=8, layers=2).eval(), torch.randn(1, 9, 2)
        late = torch.arange(9)[None] >= 4
        alone = encoder(Signal(data[:, 4:], torch.ones(1, 5, dtype=torch.bool))).data
        torch.testing.assert_close(encoder(Signal(data, late)).data[:, 4:], alone)

    def test_a_step_that_is_missing_between_others_is_zeros_to_those(self):
        """One layer of kernel 2 after a gap at 2: step 4 sees 2, 3 and 4, and step 5 nothing of it."""
        encoder, data = TCN(2, dim=8, layers=1, kernel=2).eval(), torch.randn(1, 6, 2)
        gap, whole = torch.tensor([[True, True, False, True, True, True]]), torch.ones(1, 6, dtype=torch.bool)
        found, without = encoder(Signal(data, gap)).data, encoder(Signal(data, whole)).data
        assert not torch.allclose(found[:, 3], without[:, 3])
        torch.testing.assert_close(found[:, [0, 1, 5]], without[:, [0, 1, 5]])
        alone = encoder(Signal(data[:, 3:], torch.ones(1, 3, dtype=torch.bool))).data
        torch.testing.assert_close(found[:, 3:], alone)  # as if it began there

    def test_hides_whole_channels_in_training(self):
        torch.manual_seed(0)
        layer = TCN(2, dim=64, layers=1, dropout=0.5).train().layers[0]
        hidden = layer.finish(torch.ones(8, 64, 10)) == 0  # (B, C, T)
        assert torch.equal(hidden.all(dim=2), hidden.any(dim=2))
        assert 0.3 < hidden.float().mean() < 0.7


class TestTransformer:
    def test_positions_are_those_of_the_paper(self):
        """PE(t, 2i) = sin(t / 10000^(2i / D)), PE(t, 2i + 1) = cos of it."""
        found = sinusoids(30, 6)
        for t in (0, 1, 29):
            angles = [t / 10000 ** (2 * i / 6) for i in range(3)]
            expected = [f(angle) for angle in angles for f in (np.sin, np.cos)]
            np.testing.assert_allclose(found[t].numpy(), expected, atol=1e-5)
        assert sinusoids(4, 5).shape == (4, 5)

    def test_is_torchs_own_row_by_row(self, padded):
        encoder, data = StepTransformer(3, dim=8, heads=2, layers=2, feedforward=16).eval(), torch.randn(4, 5, 3)
        encoded = encoder(Signal(data, padded)).data
        for row, length in enumerate(LENGTHS):
            steps = encoder.enter(data[[row], :length]) + sinusoids(length, 8)
            for block in encoder.blocks.blocks:
                steps = block(steps)
            torch.testing.assert_close(encoded[[row], :length], encoder.blocks.norm(steps), atol=1e-5, rtol=1e-5)

    def test_tells_orders_apart(self):
        encoder, data = StepTransformer(3, dim=8, heads=2).eval(), torch.randn(1, 5, 3)
        mask = torch.ones(1, 5, dtype=torch.bool)
        forth, back = encoder(Signal(data, mask)), encoder(Signal(data.flip(1), mask))
        assert not torch.allclose(forth.pooled(), back.pooled(), atol=1e-2)

    def test_the_steps_behind_a_missing_one_keep_their_places(self):
        """So that nobody sees it, and all the others are where they were."""
        encoder, data = StepTransformer(3, dim=8, heads=2, layers=1).eval(), torch.randn(1, 4, 3)
        mask = torch.tensor([[True, False, True, True]])
        found = encoder(Signal(data, mask)).data[mask]
        steps = (encoder.enter(data) + sinusoids(4, 8))[mask].unsqueeze(0)  # (1, 3, D): as if it had never been
        expected = encoder.blocks.norm(encoder.blocks.blocks[0](steps))[0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    def test_refuses_a_width_that_heads_cannot_share(self):
        with pytest.raises(ValueError, match="dim=10: heads=4"):
            StepTransformer(3, dim=10)


class TestLinear:
    def test_is_a_matrix_and_a_bias_over_each_step(self, padded):
        encoder, data = Linear(3, dim=4), torch.randn(4, 5, 3)
        weight, bias = (parameter.detach().numpy() for parameter in encoder.parameters())
        encoded = encoder(Signal(data, padded)).data[padded]
        np.testing.assert_allclose(encoded.detach().numpy(), data[padded].numpy() @ weight.T + bias, atol=1e-6)
