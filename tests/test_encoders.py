"""What every encoder owes the rest of the code, and what each is held to by another library.

An encoder is under test as soon as it has a config. What it reads goes by the folder it is in: encoder_inputs.py.
"""

import numpy as np
import pytest
import torch
from encoder_inputs import CONFIGS, encoder_id, reads

from mmfuse.encoders.cnn import CNN
from mmfuse.encoders.embedding_lstm import EmbeddingLSTM
from mmfuse.encoders.gru import GRU
from mmfuse.encoders.identity import Identity
from mmfuse.encoders.mlp import MLP
from mmfuse.types import Signal


@pytest.fixture(params=CONFIGS, ids=encoder_id)
def config(request):
    return request.param


@pytest.fixture
def made(config, build):
    """The encoder of the config, made once more with each call."""
    about = reads(config)
    return lambda: build(config, size=about.size, keys=about.keys(), **about.parts()).eval()


@pytest.fixture
def encoder(made):
    return made()


@pytest.fixture
def signal(config):
    lengths = torch.tensor(reads(config).lengths)
    steps = int(lengths.max())
    return Signal(reads(config).data(len(lengths), steps), torch.arange(steps) < lengths[:, None])


@pytest.fixture
def spoiled(config):
    """A signal with garbage wherever its mask is False."""

    def fill(signal):
        data = signal.data.clone()
        data[~signal.mask] = reads(config).garbage
        return Signal(data, signal.mask)

    return fill


def test_returns_steps_of_its_own_width(encoder, signal):
    data, mask = encoder(signal)
    assert data.ndim == 3
    assert mask.dtype == torch.bool
    assert mask.shape == data.shape[:2]
    assert data.shape[::2] == (len(signal.mask), encoder.dim)
    assert data[mask].isfinite().all()


def test_the_absent_stay_absent_and_the_present_present(encoder, signal):
    assert torch.equal(encoder(signal).present, signal.present)


def test_does_not_look_at_what_is_masked(encoder, signal, spoiled, unpadded):
    plain, filled = encoder(signal), encoder(spoiled(signal))
    assert torch.equal(filled.mask, plain.mask)
    torch.testing.assert_close(unpadded(filled), unpadded(plain), atol=0, rtol=0)


def test_padding_changes_nothing(encoder, signal, config, spoiled, unpadded):
    padding = reads(config).data(len(signal.mask), 7)
    padded = Signal(
        torch.cat([signal.data, padding], dim=1),
        torch.cat([signal.mask, torch.zeros(padding.shape[:2], dtype=torch.bool)], dim=1),
    )
    torch.testing.assert_close(unpadded(encoder(spoiled(padded))), unpadded(encoder(signal)), atol=1e-5, rtol=1e-5)


def test_a_row_is_encoded_alike_alone_and_in_a_batch(encoder, signal, unpadded):
    together = unpadded(encoder(signal))
    for row, length in enumerate(signal.mask.sum(dim=1).clamp(min=1)):
        alone = Signal(signal.data[[row], :length], signal.mask[[row], :length])
        torch.testing.assert_close(unpadded(encoder(alone))[0], together[row], atol=1e-5, rtol=1e-5)


def test_every_parameter_learns(encoder, signal, spoiled):
    encoded = encoder(spoiled(signal))
    if not list(encoder.parameters()):
        assert isinstance(encoder, Identity)
        return
    encoded.pooled().square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_a_batch_without_the_modality_is_finite(encoder, signal):
    encoded = encoder(Signal(signal.data, torch.zeros_like(signal.mask)))
    assert not encoded.mask.any()
    assert not encoded.pooled().any()


def test_is_the_same_once_saved_and_loaded(made, encoder, signal, unpadded, tmp_path):
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    other = made()
    other.load_state_dict(torch.load(tmp_path / "encoder.pt", weights_only=True))
    torch.testing.assert_close(unpadded(other(signal)), unpadded(encoder(signal)), atol=0, rtol=0)


class TestRecurrent:
    LENGTHS = (5, 1, 3, 4)

    def mask(self):
        return torch.arange(max(self.LENGTHS)) < torch.tensor(self.LENGTHS)[:, None]

    @pytest.mark.parametrize("layers", [1, 2])
    def test_packed_gru_is_the_gru_one_by_one(self, layers):
        encoder = GRU(3, dim=8, layers=layers).eval()
        data = torch.randn(4, 5, 3)
        encoded = encoder(Signal(data, self.mask())).data
        for row, length in enumerate(self.LENGTHS):
            alone, _ = encoder.rnn(data[[row], :length])
            torch.testing.assert_close(encoded[[row], :length], alone)

    @pytest.mark.parametrize("layers", [1, 2])
    def test_packed_lstm_is_the_lstm_one_by_one(self, layers):
        encoder = EmbeddingLSTM(20, dim=8, layers=layers).eval()
        words = torch.randint(1, 20, (4, 5))
        encoded = encoder(Signal(words, self.mask())).data
        for row, length in enumerate(self.LENGTHS):
            alone, _ = encoder.rnn(encoder.embed(words[[row], :length]))
            torch.testing.assert_close(encoded[[row], :length], alone)

    @pytest.mark.parametrize("recurrent", [GRU, EmbeddingLSTM])
    def test_refuses_a_width_that_two_directions_cannot_share(self, recurrent):
        with pytest.raises(ValueError, match="dim=7"):
            recurrent(3, dim=7)


class TestMLP:
    def test_is_two_layers_over_each_step(self):
        encoder = MLP(3, dim=4).eval()
        data = torch.randn(2, 5, 3)
        w1, b1, w2, b2 = (p.detach().numpy() for p in encoder.parameters())
        expected = np.maximum(data.numpy() @ w1.T + b1, 0) @ w2.T + b2
        encoded = encoder(Signal(data, torch.ones(2, 5, dtype=torch.bool)))
        np.testing.assert_allclose(encoded.data.detach().numpy(), expected, atol=1e-6)


class TestCNN:
    @pytest.mark.parametrize(("height", "width", "places"), [(8, 8, 2 * 2), (9, 12, 3 * 3), (1, 1, 1), (1, 64, 16)])
    def test_has_a_step_for_each_place_of_its_last_map(self, height, width, places):
        """Halved twice, rounded up."""
        picture = torch.randint(256, (2, 1, 3, height, width), dtype=torch.uint8)
        encoded = CNN(3, dim=16, widths=(8, 8)).eval()(Signal(picture, torch.tensor([[True], [False]])))
        assert encoded.data.shape == (2, places, 16)
        assert encoded.mask.tolist() == [[True] * places, [False] * places]

    def test_refuses_widths_that_groups_cannot_share(self):
        with pytest.raises(ValueError, match="multiple of groups=8"):
            CNN(3, dim=20)

    def test_takes_numbers_as_they_are_and_bytes_from_minus_one_to_one(self):
        encoder, mask = CNN(3, dim=16).eval(), torch.ones(2, 3, dtype=torch.bool)
        film = torch.randint(256, (2, 3, 3, 8, 8), dtype=torch.uint8)
        scaled = film.double().sub(127.5).div(127.5).float()
        torch.testing.assert_close(encoder(Signal(scaled, mask)).data, encoder(Signal(film, mask)).data)
