"""What every augmentation owes the rest of the code, and what each is held to by hand or by another library."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import nn

from mmfuse.augment.features import Features
from mmfuse.augment.picture import Picture, recolored, warped
from mmfuse.augment.sound import Sound, shifted
from mmfuse.augment.words import Words
from mmfuse.types import Signal

RATE = 8000
LENGTHS = {
    "picture": (1, 1, 0, 1, 1),
    "film": (3, 1, 0, 2, 3),
    "sound": (500, 311, 0, 2, 500),
    "other": (9, 5, 0, 1, 9),
}


class Case(NamedTuple):
    augment: type[nn.Module]
    active: dict  # arguments that change something
    reads: str


CASES = {
    "flip": Case(Picture, {"flip": 0.5}, "film"),
    "crop": Case(Picture, {"crop": 0.5}, "film"),
    "rotate": Case(Picture, {"rotate": 30.0}, "film"),
    "color": Case(Picture, {"color": 0.5}, "picture"),
    "color-float": Case(Picture, {"color": 0.5, "crop": 0.2}, "film-float"),
    "picture-half": Case(Picture, {"flip": 0.5, "rotate": 9.0}, "film-half"),
    "gain": Case(Sound, {"gain_db": 6.0}, "sound"),
    "shift": Case(Sound, {"shift_ms": 20.0}, "sound"),
    "shift-circular": Case(Sound, {"shift_ms": 20.0, "circular": True}, "sound"),
    "snr": Case(Sound, {"snr_db": 10.0}, "sound"),
    "sound-half": Case(Sound, {"snr_db": 10.0, "gain_db": 3.0, "shift_ms": 5.0}, "sound-half"),
    "drop": Case(Words, {"drop": 0.5}, "words"),
    "noise": Case(Features, {"noise": 0.3}, "features"),
    "noise-half": Case(Features, {"noise": 0.3}, "features-half"),
}
SIZES = {Picture: 3, Sound: RATE, Words: 30, Features: 4}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def active(case):
    return case.augment(SIZES[case.augment], **case.active)


@pytest.fixture
def signal(case):
    """Every row has the same content, absent and padded steps what it should not be: NaN where there is any."""
    kind, _, kept = case.reads.partition("-")
    lengths = torch.tensor(LENGTHS.get(kind, LENGTHS["other"]))
    steps = int(lengths.max())
    data = {
        "picture": lambda: torch.randint(256, (1, steps, 3, 9, 12), dtype=torch.uint8),
        "film": lambda: torch.randint(256, (1, steps, 3, 9, 12), dtype=torch.uint8),
        "sound": lambda: 0.1 * torch.randn(1, steps),
        "words": lambda: torch.randint(1, 30, (1, steps)),
        "features": lambda: torch.randn(1, steps, 4),
    }[kind]()
    data = data.repeat(len(lengths), *[1] * (data.ndim - 1))
    data = {"": data, "half": data.half(), "float": data.float()}[kept]
    mask = torch.arange(steps) < lengths[:, None]
    data[~mask] = float("nan") if data.is_floating_point() else 7
    return Signal(data, mask)


def bits(tensor):
    return tensor.contiguous().view(torch.uint8)


def test_at_its_defaults_nothing_changes_and_no_dice_are_thrown(case, signal):
    before = torch.get_rng_state()
    data, mask = case.augment(SIZES[case.augment])(signal)
    assert torch.equal(bits(data), bits(signal.data))
    assert torch.equal(mask, signal.mask)
    assert torch.equal(torch.get_rng_state(), before)


def test_something_changes_and_the_signal_itself_does_not(active, signal):
    data, mask = signal.data.clone(), signal.mask.clone()
    throws = [active(signal) for _ in range(10)]
    assert any(not torch.equal(changed.data[changed.mask], data[mask]) for changed in throws)
    assert torch.equal(bits(signal.data), bits(data))
    assert torch.equal(signal.mask, mask)


def test_what_is_masked_stays_bit_for_bit(active, signal):
    for _ in range(5):
        data, mask = active(signal)
        assert data.dtype == signal.data.dtype
        assert data.shape == signal.data.shape
        assert torch.equal(bits(data[~signal.mask]), bits(signal.data[~signal.mask]))
        assert data[mask].isfinite().all()


def test_the_mask_changes_by_dropped_words_only(active, signal):
    for _ in range(5):
        mask = active(signal).mask
        if isinstance(active, Words):
            assert not (mask & ~signal.mask).any()
            assert torch.equal(mask.any(dim=1), signal.present)
        else:
            assert torch.equal(mask, signal.mask)


def test_the_same_seed_throws_the_same_dice(active, signal):
    torch.manual_seed(3)
    first = active(signal)
    torch.manual_seed(3)
    second = active(signal)
    other = active(signal)
    assert torch.equal(bits(first.data), bits(second.data))
    assert torch.equal(first.mask, second.mask)
    assert not (torch.equal(bits(first.data), bits(other.data)) and torch.equal(first.mask, other.mask))


def test_rows_of_the_same_content_come_out_different(active, signal):
    """Within ten throws, that is: a mirrored picture has only two ways to come out."""
    assert torch.equal(signal.data[0], signal.data[4])
    throws = [active(signal) for _ in range(10)]
    assert any(not torch.equal(d[0], d[4]) or not torch.equal(m[0], m[4]) for d, m in throws)


def test_a_batch_without_the_modality_stays_as_it_is(active, signal):
    nothing = Signal(signal.data, torch.zeros_like(signal.mask))
    data, mask = active(nothing)
    assert torch.equal(bits(data), bits(signal.data))
    assert not mask.any()


@pytest.mark.parametrize(
    ("augment", "argument"),
    [
        (Picture, {"flip": 1.5}),
        (Picture, {"flip": -0.1}),
        (Picture, {"crop": 1.0}),
        (Picture, {"rotate": 181.0}),
        (Picture, {"color": 1.1}),
        (Sound, {"gain_db": -1.0}),
        (Sound, {"shift_ms": -1.0}),
        (Words, {"drop": 1.0}),
        (Features, {"noise": -1.0}),
    ],
)
def test_refuses_what_cannot_be(augment, argument):
    (name,) = argument
    with pytest.raises(ValueError, match=f"{name}="):
        augment(SIZES[augment], **argument)


def here(rows, steps=1):
    return torch.ones(rows, steps, dtype=torch.bool)


class TestPicture:
    def test_all_are_mirrored_where_all_should_be(self):
        pictures = torch.randint(256, (4, 2, 3, 5, 7), dtype=torch.uint8)
        flipped = Picture(3, flip=1.0)(Signal(pictures, here(4, 2))).data
        np.testing.assert_array_equal(flipped.numpy(), pictures.numpy()[..., ::-1])

    def test_the_share_that_should_be_is_mirrored_and_the_rest_is_not(self):
        pictures = torch.randint(256, (2000, 1, 1, 2, 6), dtype=torch.uint8)
        flipped = Picture(1, flip=0.3)(Signal(pictures, here(2000))).data
        same = (flipped == pictures).flatten(1).all(dim=1)
        mirrored = (flipped == pictures.flip(-1)).flatten(1).all(dim=1)
        assert (same | mirrored).all()
        assert abs(float(mirrored.float().mean()) - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5

    def test_the_frames_of_a_film_change_alike(self):
        frame = torch.randint(256, (5, 1, 3, 8, 8), dtype=torch.uint8)
        film = frame.repeat(1, 3, 1, 1, 1)
        changed = Picture(3, flip=0.5, crop=0.5, rotate=45.0, color=0.5)(Signal(film, here(5, 3))).data
        assert torch.equal(changed[:, 0], changed[:, 2])

    @pytest.mark.parametrize(("degrees", "quarters"), [(90.0, 1), (180.0, 2), (-90.0, 3), (0.0, 0)])
    def test_turns_by_right_angles_are_exact(self, degrees, quarters):
        square = torch.rand(1, 2, 3, 6, 6)
        turned = warped(square, torch.ones(1), torch.tensor([degrees]).deg2rad(), torch.zeros(1, 2))
        torch.testing.assert_close(turned, square.rot90(quarters, (-2, -1)), atol=1e-5, rtol=0)

    def test_turns_an_oblong_as_pillow_does(self, random):
        """Without the shear that turning in shares of height and width would bring."""
        smooth = Image.fromarray(random.integers(256, size=(6, 9), dtype=np.uint8)).resize(
            (90, 60), Image.Resampling.BICUBIC
        )
        expected = np.asarray(smooth.rotate(30, Image.Resampling.BILINEAR))
        picture = torch.from_numpy(np.array(smooth))[None, None, None].float()
        turned = warped(picture, torch.ones(1), torch.tensor([30.0]).deg2rad(), torch.zeros(1, 2))[0, 0, 0].numpy()
        inside = np.asarray(Image.new("L", smooth.size, 1).rotate(30)) > 0
        assert abs(turned - expected)[inside].mean() < 1.0

    def test_crops_as_pillow_does(self, random):
        """A window of 40 % of height and width whose centre is a tenth of the width right of the picture's."""
        pixels = random.integers(256, size=(20, 30), dtype=np.uint8)
        window = (30 * 0.4, 20 * 0.3, 30 * 0.8, 20 * 0.7)  # left, top, right, bottom
        expected = np.asarray(Image.fromarray(pixels).resize((30, 20), Image.Resampling.BILINEAR, box=window))
        picture = torch.from_numpy(pixels)[None, None, None].float()
        cropped = warped(picture, torch.tensor([0.4]), torch.zeros(1), torch.tensor([[0.2, 0.0]]))[0, 0, 0]
        np.testing.assert_allclose(cropped.numpy(), expected, atol=1.5)  # Pillow rounds twice

    def test_a_crop_stays_within_the_picture(self):
        """Its columns count from 0 to 63: what a crop spans tells its width, and its ends how far it reaches."""
        ramp = torch.arange(64.0).expand(64, 64)[None, None, None].repeat(200, 1, 1, 1, 1)
        changed = Picture(1, crop=0.5)(Signal(ramp, here(200))).data[:, 0, 0]
        spans = changed[:, 0, -1] - changed[:, 0, 0]
        assert spans.min() >= 30
        assert spans.max() > 58
        assert changed.min() < 1
        assert changed.max() > 62

    @pytest.mark.parametrize(
        ("enhance", "place"), [(ImageEnhance.Brightness, 0), (ImageEnhance.Contrast, 1), (ImageEnhance.Color, 2)]
    )
    @pytest.mark.parametrize("factor", [0.0, 0.6, 1.4])
    def test_colors_change_as_pillow_does_it(self, enhance, place, factor, random):
        pixels = random.integers(256, size=(8, 9, 3), dtype=np.uint8)
        expected = np.asarray(enhance(Image.fromarray(pixels)).enhance(factor))
        picture = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None, None]
        factors = [torch.tensor([factor if i == place else 1.0]) for i in range(3)]
        found = recolored(picture, *factors)[0, 0].clamp(0, 255).numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(found, expected, atol=2.0)  # Pillow rounds on its way

    def test_grey_pictures_stay_grey(self):
        even = torch.full((1, 1, 1, 4, 4), 100, dtype=torch.uint8)
        changed = Picture(1, color=0.5)(Signal(even, here(1))).data
        assert changed.shape == even.shape
        assert changed.unique().numel() == 1
        assert 50 <= int(changed.unique()) <= 150


class TestSound:
    def decibels(self, after, before):
        return 10 * (after.square().mean(dim=1) / before.square().mean(dim=1)).log10()

    def test_gain_is_one_factor_a_row_within_its_decibels(self):
        wave = torch.randn(500, 64, dtype=torch.float64)
        louder = Sound(RATE, gain_db=6.0)(Signal(wave, here(500, 64))).data
        ratio = louder / wave
        torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
        gains = self.decibels(louder, wave)
        assert -6.0 - 1e-5 <= gains.min() < -5.8
        assert 5.8 < gains.max() <= 6.0 + 1e-5

    def test_twenty_decibels_are_ten_times(self, monkeypatch):
        monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.ones(shape))
        wave = torch.randn(3, 10)
        torch.testing.assert_close(Sound(RATE, gain_db=20.0)(Signal(wave, here(3, 10))).data, 10 * wave)

    @pytest.mark.parametrize("snr", [-5.0, 0.0, 20.0])
    def test_noise_has_the_power_it_should_have(self, snr):
        lengths = torch.tensor([4000, 1000, 8000])
        mask = torch.arange(8000) < lengths[:, None]
        wave = torch.tensor([0.01, 1.0, 0.3])[:, None] * torch.randn(3, 8000)
        noisy = Sound(RATE, snr_db=snr)(Signal(wave, mask)).data
        for row, length in enumerate(lengths):
            added = (noisy - wave)[row, :length]
            assert float(10 * (wave[row, :length].square().mean() / added.square().mean()).log10()) == pytest.approx(
                snr, abs=0.5
            )
            half = length // 2
            correlation = float(torch.corrcoef(torch.stack([added[:half], added[half : 2 * half]]))[0, 1])
            assert abs(correlation) < 0.2  # it is noise, not the sound again

    def test_silence_stays_silent(self):
        assert not Sound(RATE, snr_db=10.0)(Signal(torch.zeros(1, 50), here(1, 50))).data.any()

    @pytest.mark.parametrize(
        ("circular", "expected"),
        [
            (True, [[4, 5, 1, 2, 3], [2, 3, 1, 8, 9], [1, 2, 3, 4, 5], [6, 7, 8, 9, 6]]),
            (False, [[0, 0, 1, 2, 3], [2, 3, 0, 8, 9], [1, 2, 3, 4, 5], [6, 7, 8, 9, 6]]),
        ],
    )
    def test_rows_move_within_their_own_lengths(self, circular, expected):
        """By 2, -1, 0 and 1 samples; the second has three samples, and the last none."""
        wave = torch.tensor([[1.0, 2, 3, 4, 5], [1, 2, 3, 8, 9], [1, 2, 3, 4, 5], [6, 7, 8, 9, 6]])
        lengths = torch.tensor([5, 3, 5, 0])
        mask = torch.arange(5) < lengths[:, None]
        moved = shifted(wave, mask, lengths, torch.tensor([2, -1, 0, 1]), circular)
        assert torch.where(mask, moved, wave).tolist() == expected

    def test_a_hole_moves_no_sound_into_another(self):
        """The second of five samples is masked: where it would come to stand there is silence."""
        mask = torch.tensor([[True, False, True, True, True]])
        wave = torch.tensor([[1.0, torch.nan, 3, 4, 5]])
        moved = shifted(wave, mask, torch.tensor([5]), torch.tensor([1]), True)
        assert moved[mask].tolist() == [5, 0, 3, 4]

    def test_every_shift_up_to_the_most_comes_about(self):
        """3 ms at 1000 samples a second, both ways; a sound of four samples moves by two at most."""
        wave = torch.arange(1.0, 10.0).repeat(400, 1)
        lengths = torch.tensor([9] * 200 + [4] * 200)
        mask = torch.arange(9) < lengths[:, None]
        moved = Sound(1000, shift_ms=3.0, circular=True)(Signal(wave, mask)).data
        first = moved[:, 0]  # 1 where nothing moved, 9 where by one sample of nine
        assert set(first[:200].tolist()) == {1, 9, 8, 7, 2, 3, 4}
        assert set(first[200:].tolist()) == {1, 4, 3, 2}


class TestWords:
    def test_the_share_that_should_be_is_hidden(self):
        hidden = ~Words(30, drop=0.25)(Signal(torch.ones(200, 100, dtype=torch.long), here(200, 100))).mask
        assert float(hidden.float().mean()) == pytest.approx(0.25, abs=0.02)

    def test_one_word_at_least_is_left(self):
        lengths = torch.tensor([1, 2, 3, 0] * 100)
        mask = torch.arange(3) < lengths[:, None]
        left = Words(30, drop=0.99)(Signal(torch.ones(400, 3, dtype=torch.long), mask)).mask
        assert torch.equal(left.any(dim=1), lengths > 0)
        assert (left.sum(dim=1) < lengths).sum() > 150  # of the 200 that could lose any


class TestFeatures:
    def test_noise_has_its_deviation_and_no_mean(self):
        data = torch.randn(50, 40, 10)
        added = Features(10, noise=0.3)(Signal(data, here(50, 40))).data - data
        assert float(added.std()) == pytest.approx(0.3, rel=0.02)
        assert float(added.mean()) == pytest.approx(0.0, abs=4 * 0.3 / 20_000**0.5)
