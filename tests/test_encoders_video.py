"""Encoders of films."""

from functools import partial

import numpy as np
import pytest
import torch

from mmfuse.encoders.cnn import CNN
from mmfuse.encoders.cnn3d import CNN3D
from mmfuse.encoders.frames import Frames
from mmfuse.encoders.lenet import LeNet
from mmfuse.prepare.frames import Frames as Prepared
from mmfuse.types import Signal

LENGTHS = torch.tensor([5, 1, 0, 3])
OVER_TIME = ["mean", "gru", "transformer"]


def by_frame(over_time, **keys):
    return Frames(3, partial(CNN, dim=16, widths=[8]), over_time, **keys).eval()


@pytest.fixture
def film():
    data = torch.randint(256, (4, 5, 3, 9, 12), dtype=torch.uint8)
    return Signal(data, torch.arange(5) < LENGTHS[:, None])


def frame_by_frame(encoder, film):
    """Of each row that has a film, the mean of the places of each of its frames: (length, D)."""
    found = []
    for row, length in enumerate(LENGTHS.tolist()):
        frames = Signal(film.data[row, :length].unsqueeze(1), torch.ones(length, 1, dtype=torch.bool))
        if length:
            found.append(encoder.frame(frames).data.mean(dim=1))
    return found


class TestFrames:
    def test_mean_is_that_of_the_frames(self, film):
        encoder = by_frame("mean")
        expected = torch.stack([frames.mean(dim=0) for frames in frame_by_frame(encoder, film)])
        torch.testing.assert_close(encoder(film).pooled()[LENGTHS > 0], expected)

    @pytest.mark.parametrize("layers", [1, 2])
    def test_gru_is_torchs_own_film_by_film(self, film, layers):
        encoder = by_frame("gru", layers=layers)
        real = [steps[mask] for steps, mask in zip(*encoder(film), strict=True) if mask.any()]
        for found, frames in zip(real, frame_by_frame(encoder, film), strict=True):
            torch.testing.assert_close(found, encoder.over_time.rnn(frames)[0])

    @pytest.mark.parametrize("over_time", OVER_TIME)
    def test_what_comes_first_matters_unless_frames_are_averaged(self, over_time):
        film = Signal(torch.randn(2, 4, 3, 8, 8), torch.ones(2, 4, dtype=torch.bool))
        encoder = by_frame(over_time)
        forth, back = encoder(film).pooled(), encoder(Signal(film.data.flip(1), film.mask)).pooled()
        assert torch.allclose(forth, back, atol=1e-5) == (over_time == "mean")

    def test_missing_frames_enter_no_batch_statistics(self, film):
        encoder = Frames(3, partial(LeNet, channels=4, layers=1), "mean").train()
        start = {k: v.clone() for k, v in encoder.state_dict().items()}
        encoder(film)
        statistics = {k: v.clone() for k, v in encoder.named_buffers()}
        encoder.load_state_dict(start)
        real = film.data[film.mask].unsqueeze(0)  # (1, 9, ...): all real frames as one film
        encoder(Signal(real, torch.ones(1, len(real[0]), dtype=torch.bool)))
        for name, buffer in encoder.named_buffers():
            torch.testing.assert_close(buffer, statistics[name])

    @pytest.mark.parametrize(
        ("over_time", "dim", "says"),
        [("gru", 7, "frame.dim=7"), ("transformer", 6, "heads=4")],
    )
    def test_refuses(self, over_time, dim, says):
        with pytest.raises(ValueError, match=says):
            Frames(3, partial(CNN, dim=dim, widths=[], groups=1), over_time)


class TestCNN3D:
    def test_a_step_sees_as_many_frames_as_it_has_convolutions(self):
        data = torch.randn(1, 9, 3, 8, 8, requires_grad=True)
        encoder = CNN3D(3, dim=8, widths=(8, 8))  # three convolutions of three frames: three to either side
        encoder(Signal(data, torch.ones(1, 9, dtype=torch.bool))).data[0, 4].sum().backward()
        seen = data.grad.abs().sum(dim=(0, 2, 3, 4)) > 0
        assert seen.tolist() == [False] + [True] * 7 + [False]

    def test_a_frame_between_others_that_is_missing_is_as_the_border(self):
        """Frames before a gap are encoded as if the film ended there."""
        data = torch.randn(1, 9, 3, 8, 8)
        data[:, 4:7] = torch.nan
        encoder = CNN3D(3, dim=8, widths=(8, 8)).eval()
        mask = torch.tensor([[True] * 4 + [False] * 3 + [True] * 2])
        gap, alone = encoder(Signal(data, mask)), encoder(Signal(data[:, :4], mask[:, :4]))
        assert torch.equal(gap.mask, mask)
        torch.testing.assert_close(gap.data[:, :4], alone.data)
        assert gap.data[mask].isfinite().all()

    @pytest.mark.parametrize(
        ("keys", "steps"),
        [
            ({}, 8),
            ({"halve_time": True}, 2),  # the second and the third block of four
            ({"places": True}, 8 * 2 * 3),  # 12 x 20 halved three times, rounded up
            ({"halve_time": True, "places": True}, 2 * 2 * 3),
        ],
    )
    def test_steps(self, keys, steps):
        film = Signal(torch.randn(2, 8, 3, 12, 20), torch.arange(8) < torch.tensor([[8], [1]]))
        encoded = CNN3D(3, dim=16, widths=(8, 8, 8), **keys).eval()(film)
        assert encoded.data.shape == (2, steps, 16)
        assert encoded.mask[0].all()
        assert encoded.mask[1].sum() == steps // encoded.mask.shape[1] * (6 if "places" in keys else 1)

    def test_places_are_averaged_or_kept(self):
        film = Signal(torch.randn(2, 3, 3, 12, 20), torch.ones(2, 3, dtype=torch.bool))
        kept = CNN3D(3, dim=16, widths=(8,), places=True).eval()
        averaged = CNN3D(3, dim=16, widths=(8,)).eval()
        averaged.load_state_dict(kept.state_dict())
        torch.testing.assert_close(kept(film).data.unflatten(1, (3, -1)).mean(dim=2), averaged(film).data)

    def test_refuses_widths_that_groups_cannot_share(self):
        with pytest.raises(ValueError, match="multiple of groups=8"):
            CNN3D(3, dim=20)


FILMS = {over_time: partial(by_frame, over_time) for over_time in OVER_TIME} | {
    "cnn3d": lambda: CNN3D(3, dim=16, widths=(8, 8)).eval(),
    "cnn3d-halved": lambda: CNN3D(3, dim=16, widths=(8, 8), halve_time=True).eval(),
}


@pytest.mark.parametrize("made", FILMS.values(), ids=FILMS)
def test_a_film_of_one_frame_is_encoded_alike_alone_and_beside_long_ones(made, random):
    long, short = (random.integers(256, size=(frames, 16, 16, 3), dtype=np.uint8) for frames in (20, 1))
    prepare = Prepared(frames=8)
    prepare.fit([long, short])
    ragged = prepare([long, short])
    assert ragged.lengths.tolist() == [8, 1]
    padded = torch.nn.utils.rnn.pad_sequence(ragged.data.split([8, 1]), batch_first=True)  # (2, 8, C, H, W)
    encoder = made()
    both = encoder(Signal(padded, torch.arange(8) < torch.tensor([[8], [1]])))
    alone = encoder(Signal(ragged.data[None, 8:], torch.ones(1, 1, dtype=torch.bool)))
    assert alone.data.shape == (1, 1, 16)
    assert alone.data.isfinite().all()
    torch.testing.assert_close(both.pooled()[1], alone.pooled()[0], atol=1e-5, rtol=1e-5)
