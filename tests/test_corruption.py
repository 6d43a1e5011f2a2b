"""Noise on purpose: nothing at level 0, more of the same at every level above, and as much as its unit says."""

import copy
import math

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageFilter

from mmfuse.corruption.blur import Blur
from mmfuse.corruption.catalog import CORRUPTIONS, fitting
from mmfuse.corruption.gaussian import Gaussian
from mmfuse.corruption.occlusion import Occlusion
from mmfuse.corruption.salt_pepper import SaltPepper
from mmfuse.corruption.snr import SNR
from mmfuse.corruption.step_cut import StepCut
from mmfuse.corruption.step_drop import StepDrop
from mmfuse.corruption.swaps import Swaps
from mmfuse.corruption.words import Words
from mmfuse.prepare.cells import Cells
from mmfuse.prepare.features import Features
from mmfuse.prepare.frames import Frames
from mmfuse.prepare.pixels import Pixels
from mmfuse.prepare.waveform import Waveform
from mmfuse.prepare.words import Words as WordNumbers
from mmfuse.run.noisy import dice

SPREAD = np.array([1.0, 10.0, 0.0])  # of three features, the last of which never varies


def value_of(kind: str, random: np.random.Generator):
    """A value of the kind, as a preparation opens it, with what it can have missing missing."""
    steps = random.normal(size=(20, 3)).astype(np.float32)
    steps[5, 1] = np.nan
    return {
        "image": random.integers(0, 256, (17, 23, 3), dtype=np.uint8),
        "video": random.integers(0, 256, (4, 9, 8, 1), dtype=np.uint8),
        "audio": (random.normal(size=900).astype(np.float32), 8000),
        "text": "the quick brown fox jumps over 一只懒狗 and runs away " * 3,
        "sequence": steps,
        "vector": steps[:1],
        "tabular": {"age": 31.0, "town": "A", "height": None},
    }[kind]


def made(name: str, kind: str):
    return CORRUPTIONS[name].of({"age": 2.0, "height": 1.0} if kind == "tabular" else SPREAD)


EACH = [(name, kind) for name, corruption in CORRUPTIONS.items() for kind in corruption.kinds]


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_nothing_changes_at_the_level_of_nothing(name, kind, random):
    corruption = made(name, kind)
    for _ in range(5):
        value = value_of(kind, random)
        assert corruption(value, corruption.nothing, random) is value
    assert corruption.levels[0] == corruption.nothing


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_a_row_is_spoiled_alike_whenever_it_is_and_its_value_is_left_alone(name, kind, random):
    corruption, value = made(name, kind), value_of(kind, random)
    before = copy.deepcopy(value)
    once, again = (corruption(value, corruption.levels[-1], dice(0, 1, 7, "m")) for _ in range(2))
    np.testing.assert_equal(once, again)
    np.testing.assert_equal(value, before)
    with pytest.raises(AssertionError):
        np.testing.assert_equal(once, before)


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_what_is_missing_stays_missing(name, kind, random):
    corruption = made(name, kind)
    assert corruption(None, corruption.levels[-1], random) is None
    if kind in ("sequence", "vector"):
        value = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, -np.inf]], np.float32)
        spoiled = corruption(value, corruption.levels[-1], random)
        assert not np.isfinite(spoiled).all(axis=1).any()
    if kind == "tabular":
        assert corruption(value_of(kind, random), 1.0, random)["height"] is None


def test_rows_draws_and_modalities_have_dice_of_their_own():
    drawn = {dice(*which).random() for which in [(0, 0, 1, "a"), (0, 0, 2, "a"), (0, 1, 1, "a"), (0, 0, 1, "b")]}
    assert len(drawn) == 4


def test_noise_grows_along_one_direction_and_by_what_features_spread(random):
    value = random.normal(size=(4000, 3)).astype(np.float64)
    noise = [Gaussian(SPREAD)(value, level, dice(0, 0, 0, "m")) - value for level in (0.5, 1.0)]
    np.testing.assert_allclose(noise[1], 2 * noise[0], atol=1e-12)
    assert noise[1].std(axis=0) == pytest.approx(SPREAD, rel=0.05)  # 4000 draws: a standard error of 1.1 %


def test_of_a_table_the_numbers_change(random):
    rows = [Gaussian({"age": 3.0})({"age": 40.0, "town": "A"}, 2.0, dice(0, 0, n, "m")) for n in range(2000)]
    assert {row["town"] for row in rows} == {"A"}
    assert np.std([row["age"] for row in rows]) == pytest.approx(6.0, rel=0.06)
    assert np.mean([row["age"] for row in rows]) == pytest.approx(40.0, abs=0.5)


@pytest.mark.parametrize("decibels", [30.0, 10.0, 0.0, -7.5])
def test_sound_has_the_ratio_asked_for(decibels, random):
    wave = 0.1 * random.normal(size=3000)
    noisy, rate = SNR()((wave, 8000), decibels, random)
    measured = 10 * np.log10(np.mean(wave**2) / np.mean((noisy - wave) ** 2))
    assert (rate, measured) == (8000, pytest.approx(decibels, abs=0.01))


def test_silence_stays_silent(random):
    noisy, _ = SNR()((np.zeros(100, np.float32), 8000), 0.0, random)
    assert not noisy.any()


@pytest.mark.parametrize("level", [0.2, 0.7])
def test_the_share_of_words_that_go_is_the_level(level):
    text = " ".join(f"w{n}" for n in range(50))
    left = [len(Words()(text, level, dice(0, 0, row, "text")).split()) for row in range(200)]
    assert 1 - np.mean(left) / 50 == pytest.approx(level, abs=0.02)  # 10,000 words: a standard error of .005


def test_words_go_and_stay_in_order():
    text = "one two 三四 five"
    kept = Words()(text, 0.5, dice(0, 0, 3, "text"))
    pieces = iter(["one", "two", "三", "四", "five"])
    assert all(
        any(piece == word for piece in pieces) for word in kept.replace("三", "三 ").replace("四", "四 ").split()
    )
    assert len(Words()(text, 1.0, dice(0, 0, 3, "text"))) in (1, 3, 4)  # the last word, or sign


def test_what_is_gone_at_a_level_is_gone_at_every_higher_one(random):
    text, steps = " ".join(f"w{n}" for n in range(40)), random.normal(size=(40, 3)).astype(np.float32)
    picture = random.integers(1, 127, (30, 20, 1), dtype=np.uint8)  # neither black, white nor grey
    levels = (0.1, 0.3, 0.6, 0.9)
    for row in range(20):
        words = [set(Words()(text, level, dice(0, 0, row, "m")).split()) for level in levels]
        dropped = [np.isnan(StepDrop()(steps, level, dice(0, 0, row, "m"))).all(axis=1) for level in levels]
        covered = [Occlusion()(picture, level, dice(0, 0, row, "m")) != picture for level in levels]
        impulses = [SaltPepper()(picture, level, dice(0, 0, row, "m")) for level in levels]
        for low, high in ((0, 1), (1, 2), (2, 3)):
            assert words[high] <= words[low]
            assert not (dropped[low] & ~dropped[high]).any()
            assert not (covered[low] & ~covered[high]).any()
            spoiled = impulses[low] != picture
            assert (impulses[high] == impulses[low])[spoiled].all()


def test_steps_are_dropped_at_the_rate_and_one_stays(random):
    steps = random.normal(size=(100, 2))
    shares = [np.isnan(StepDrop()(steps, 0.4, dice(0, 0, row, "m"))).all(axis=1).mean() for row in range(100)]
    assert np.mean(shares) == pytest.approx(0.4, abs=0.02)
    assert np.isfinite(StepDrop()(steps, 1.0, random)).all(axis=1).sum() == 1


def test_a_recording_breaks_off(random):
    steps = random.normal(size=(10, 2))
    steps[1] = np.nan  # nine are there
    left = {level: np.flatnonzero(np.isfinite(StepCut()(steps, level, random)).all(axis=1)) for level in (0.34, 1.0)}
    assert left[0.34].tolist() == [0, 2, 3, 4, 5, 6]  # 0.34 * 9 = 3.06 are gone
    assert left[1.0].tolist() == [0]


def test_blur_is_pillows(random):
    """Whose Gaussian is made of three box blurs, and so is near, but not it."""
    picture = np.asarray(Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((60, 60)))
    theirs = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2.0)))
    ours = Blur()(picture, 2.0, random)
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 4
    assert np.abs(ours.astype(int) - picture.astype(int)).max() > 20


def test_a_blurred_point_is_a_bell(random):
    """255 / (2 pi sigma^2) high; the picture's sum is kept."""
    picture = np.zeros((31, 31, 1), np.uint8)
    picture[15, 15] = 255
    blurred = Blur()(picture, 1.5, random)
    assert blurred[15, 15, 0] == pytest.approx(255 / (2 * math.pi * 1.5**2), abs=1.0)
    assert blurred[15, 18, 0] == pytest.approx(255 / (2 * math.pi * 1.5**2) * math.exp(-2), abs=1.0)


@pytest.mark.parametrize("shape", [(40, 40, 3), (10, 90, 1)])
@pytest.mark.parametrize("level", [0.1, 0.4, 1.0])
def test_occlusion_covers_the_share(shape, level, random):
    picture = np.zeros(shape, np.uint8)
    share = (Occlusion()(picture, level, random) == 128).all(axis=2).mean()
    assert share == pytest.approx(level, abs=0.035)


def test_salt_and_pepper_are_as_many_as_asked_and_half_of_them_salt(random):
    spoiled = SaltPepper()(np.full((200, 200, 3), 100, np.uint8), 0.3, random)
    assert (spoiled != 100).all(axis=2).mean() == pytest.approx(0.3, abs=0.01)
    assert (spoiled == 255).mean() == pytest.approx(0.15, abs=0.01)


def test_letters_swap_inside_words():
    text = "robustness is tested here"
    swapped = Swaps()(text, 1.0, dice(0, 0, 0, "text"))
    for old, new in zip(text.split(), swapped.split(), strict=True):
        assert sorted(old) == sorted(new)
        assert (old[0], old[-1]) == (new[0], new[-1])
    assert swapped.split()[1] == "is"
    assert swapped.split()[3] == "hree"  # "here" has one pair inside
    assert Swaps()(text.split(), 1.0, dice(0, 0, 0, "text")) == swapped.split()


def test_levels_are_put_in_order_of_strength():
    assert Blur.curve([4.0, 1.0, 1.0]) == (0.0, 1.0, 4.0)
    assert SNR.curve([0.0, 20.0]) == (math.inf, 20.0, 0.0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Words.curve([0.0, 1.5])
    with pytest.raises(ValueError, match="0 or more"):
        Blur.curve([-1.0])
    with pytest.raises(ValueError, match="besides"):
        Blur.curve([0.0])


def test_every_kind_of_modality_has_a_noise():
    for kind in ("text", "image", "video", "audio", "vector", "sequence", "tabular"):
        assert fitting(kind)


def test_what_is_opened_is_prepared_to_the_same(random, tmp_path):
    Image.fromarray(random.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(random.integers(0, 256, (20, 50), dtype=np.uint8)).save(tmp_path / "b.png")
    soundfile.write(tmp_path / "a.wav", 0.3 * random.normal(size=(3000, 2)), 16000)
    pictures = [tmp_path / "a.png", None, tmp_path / "b.png"]
    films = [random.integers(0, 256, (n, 10, 12, 3), dtype=np.uint8) for n in (3, 20)]
    rows = [{"age": "30", "town": "A"}, {"age": None, "town": "B"}, {"age": 50, "town": None}]
    for preparation, raw in (
        (Pixels(size=[16, 24], fit="pad"), pictures),
        (Frames(frames=5, size=[8, 8]), films),
        (Waveform(rate=8000), [tmp_path / "a.wav", None]),
        (Features(), [[1.0, 2.0], "[3, 4]", None]),
        (Features(standardise=False), [np.eye(2), np.array([[np.nan, 1.0]])]),
        (Cells(), rows),
        (WordNumbers(min_count=1), ["a good film", None]),
    ):
        preparation.fit(raw)
        clean = preparation(raw)
        again = preparation([None if value is None else preparation.opened(value) for value in raw])
        np.testing.assert_array_equal(clean.data.numpy(), again.data.numpy())
        assert clean.lengths.tolist() == again.lengths.tolist()


def test_noise_on_features_is_in_deviations_of_the_training_rows(random):
    """Prepared, it has the level as its deviation; where features are not standardised, the level times theirs."""
    raw = list(random.normal(3.0, [2.0, 5.0], (2000, 2)))
    for standardise, expected in ((True, [0.5, 0.5]), (False, [1.0, 2.5])):
        preparation = Features(standardise)
        preparation.fit(raw)
        noise = Gaussian.of(preparation.spread())
        spoiled = preparation([noise(preparation.opened(v), 0.5, dice(0, 0, n, "m")) for n, v in enumerate(raw)])
        difference = (spoiled.data - preparation(raw).data).numpy()
        assert difference.std(axis=0) == pytest.approx(expected, rel=0.06)


def test_features_without_a_spread_have_no_gaussian_noise():
    for spread in (None, {}):
        with pytest.raises(ValueError, match="no numbers"):
            Gaussian.of(spread)
