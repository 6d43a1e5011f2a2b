"""From raw values to what encoders read."""

import json

import librosa
import numpy as np
import pytest
import soundfile
from PIL import Image

from mmfuse.prepare.features import Features
from mmfuse.prepare.pixels import Pixels
from mmfuse.prepare.waveform import Waveform
from mmfuse.prepare.words import Words
from mmfuse.types import Ragged, UnreadableError


@pytest.fixture
def through_json():
    """Another preparation of the same kind, restored from what the first one learned."""

    def restored(preparation):
        other = type(preparation)()
        other.restore(json.loads(json.dumps(preparation.state())))
        return other

    return restored


def same(one: Ragged, other: Ragged) -> bool:
    return one.data.equal(other.data) and one.lengths.equal(other.lengths)


@pytest.mark.parametrize(
    ("preparation", "value"),
    [
        (Words(), "word"),
        (Pixels(), np.zeros((2, 2), np.uint8)),
        (Waveform(), (np.zeros(9, np.float32), 8000)),
        (Features(), np.zeros(3)),
    ],
    ids=["words", "pixels", "waveform", "features"],
)
def test_rows_that_all_lack_the_modality_have_no_steps(preparation, value):
    """Such as a batch that is read as it is fetched, or one row to predict."""
    preparation.fit([value, None])
    prepared = preparation([None, None])
    assert prepared.lengths.tolist() == [0, 0]
    assert len(prepared.data) == 0


class TestWords:
    def test_knows_the_words_it_was_fitted_on(self):
        words = Words(min_count=1)
        words.fit(["red green", None, "green"])
        assert words.size == 4  # padding, unknown, green, red
        numbers = words(["red", "green", "blue", "GREEN rèd"]).data.tolist()
        assert sorted(numbers[:2]) == [2, 3]
        assert numbers[2:] == [1, numbers[1], numbers[0]]

    def test_rare_words_are_unknown(self):
        words = Words(min_count=2)
        words.fit(["twice once", "twice"])
        assert words(["twice once"]).data.tolist() == [2, 1]

    def test_keeps_the_most_frequent_words(self):
        words = Words(min_count=1, max_words=4)
        words.fit(["a a a b b c"])
        assert words.size == 4
        assert words(["a b c"]).data.tolist() == [2, 3, 1]

    def test_a_missing_text_has_no_words_and_an_empty_one_an_unknown_word(self):
        words = Words(min_count=1)
        words.fit(["one two"])
        prepared = words(["one two", None, "", "two"])
        assert prepared.lengths.tolist() == [2, 0, 1, 1]
        assert prepared.data[2] == 1

    def test_chinese_characters_are_words(self):
        words = Words(min_count=1)
        words.fit(["这个数字", "数"])
        prepared = words(["数字", "字"])
        assert prepared.lengths.tolist() == [2, 1]
        assert prepared.data[1] == prepared.data[2] != 1

    def test_cuts_what_is_too_long(self):
        words = Words(min_count=1, max_length=3)
        words.fit(["a b c d"])
        prepared = words(["a b c d", "a b"])
        assert prepared.lengths.tolist() == [3, 2]
        assert prepared.data[:2].equal(prepared.data[3:])

    def test_no_text_spells_padding(self):
        words = Words(min_count=1)
        words.fit(["a [PAD] b", "[UNK]"])
        assert (words(["[PAD]", "a [PAD]"]).data > 0).all()

    def test_is_the_same_once_restored(self, through_json):
        words = Words(min_count=1, max_length=3)
        words.fit(["The quick, brown fox", "die Füchse", "狐狸"])
        raw = ["the fox, quick and brown", None, "狐 Fuchse", ""]
        other = through_json(words)
        assert other.size == words.size
        assert same(other(raw), words(raw))


class TestPixels:
    @pytest.fixture
    def saved(self, tmp_path):
        """Writes a picture and returns its path."""

        def save(image, name="picture.png"):
            image.save(tmp_path / name)
            return tmp_path / name

        return save

    @pytest.fixture
    def colored(self, random):
        return random.integers(256, size=(5, 7, 3), dtype=np.uint8)

    def test_reads_a_file_and_an_array_alike(self, saved, colored):
        pixels = Pixels()
        raw = [saved(Image.fromarray(colored)), None, colored]
        pixels.fit(raw)
        prepared = pixels(raw)
        assert pixels.size == 3
        assert prepared.lengths.tolist() == [1, 0, 1]
        np.testing.assert_array_equal(prepared.data.numpy(), [colored.transpose(2, 0, 1)] * 2)

    def test_grey_pictures_have_one_channel(self, saved, random):
        grey = random.integers(256, size=(5, 7), dtype=np.uint8)
        pixels = Pixels()
        pixels.fit([saved(Image.fromarray(grey)), grey])
        assert pixels.size == 1
        np.testing.assert_array_equal(pixels([grey]).data.numpy(), grey[None, None])

    def test_one_picture_in_color_gives_all_three_channels(self, colored, random):
        grey = random.integers(256, size=(5, 7), dtype=np.uint8)
        pixels = Pixels()
        pixels.fit([grey, colored])
        np.testing.assert_array_equal(pixels([grey]).data.numpy(), [[grey] * 3])

    def test_color_can_be_asked_away(self):
        pixels = Pixels(color=False)
        pixels.fit([np.full((2, 2, 3), 90, np.uint8)])
        assert (pixels([np.full((2, 2, 3), 90, np.uint8)]).data == 90).all()
        assert pixels.size == 1

    def test_transparency_is_white(self, saved):
        image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
        image.putpixel((1, 0), (10, 20, 30, 0))
        pixels = Pixels()
        pixels.fit([path := saved(image)])
        assert pixels([path]).data[0, :, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]

    def test_a_palette_is_looked_up(self, saved):
        image = Image.new("P", (2, 1))
        image.putpalette([200, 100, 50, 1, 2, 3])
        image.putpixel((1, 0), 1)
        pixels = Pixels()
        pixels.fit([path := saved(image, "palette.gif")])
        assert pixels([path]).data[0, :, 0].T.tolist() == [[200, 100, 50], [1, 2, 3]]

    def test_sixteen_bits_become_eight(self, saved):
        grey = np.array([[0, 0x1234, 0x8000, 0xFFFF]], dtype=np.uint16)
        pixels = Pixels()
        pixels.fit([path := saved(Image.fromarray(grey))])
        np.testing.assert_allclose(pixels([path]).data.flatten().tolist(), grey[0] / 65535 * 255, atol=1)

    def test_resizes_as_pillow_does(self, colored):
        pixels = Pixels([4, 3])
        pixels.fit([colored])
        expected = np.asarray(Image.fromarray(colored).resize((3, 4), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(pixels([colored]).data[0].numpy(), expected.transpose(2, 0, 1))

    def test_pictures_of_several_sizes_become_64_by_64(self):
        pixels = Pixels()
        pixels.fit([np.full((5, 7), 80, np.uint8), np.full((9, 2), 80, np.uint8)])
        prepared = pixels([np.full((5, 7), 80, np.uint8)])
        assert prepared.data.shape == (1, 1, 64, 64)
        assert (prepared.data == 80).all()

    def test_a_large_jpeg_keeps_its_picture(self, saved):
        image = Image.new("RGB", (640, 480), (200, 40, 40))
        image.paste((40, 40, 200), (320, 0, 640, 480))
        pixels = Pixels([12, 16])
        pixels.fit([path := saved(image, "large.jpg")])
        picture = pixels([path]).data[0].float()
        np.testing.assert_allclose(picture[:, :, :6].mean(dim=(1, 2)), [200, 40, 40], atol=4)
        np.testing.assert_allclose(picture[:, :, 10:].mean(dim=(1, 2)), [40, 40, 200], atol=4)

    @pytest.mark.parametrize("threads", [1, 4])
    def test_names_all_that_cannot_be_read(self, saved, tmp_path, colored, threads):
        good = saved(Image.fromarray(colored))
        (tmp_path / "broken.png").write_bytes(b"this is no picture")
        (tmp_path / "cut.png").write_bytes(good.read_bytes()[:60])
        raw = [good, tmp_path / "broken.png", None, tmp_path / "missing.png", tmp_path / "cut.png"]
        pixels = Pixels([5, 7], color=True, threads=threads)
        with pytest.raises(UnreadableError) as error:
            pixels(raw)
        assert [failure.row for failure in error.value.failures] == [1, 3, 4]
        assert error.value.failures[1].value == str(tmp_path / "missing.png")
        assert error.value.failures[1].reason == "not found"

    def test_fitting_names_them_too(self, tmp_path):
        with pytest.raises(UnreadableError) as error:
            Pixels().fit([np.zeros((2, 2), np.uint8), tmp_path / "missing.png"])
        assert [failure.row for failure in error.value.failures] == [1]

    def test_is_the_same_once_restored(self, through_json, colored):
        pixels = Pixels()
        pixels.fit([colored])
        other = through_json(pixels)
        assert other.size == 3
        assert same(other([colored, None]), pixels([colored, None]))


class TestWaveform:
    @pytest.fixture
    def saved(self, tmp_path):
        """Writes a sound and returns its path."""

        def save(data, rate, name="sound.wav"):
            soundfile.write(tmp_path / name, data, rate, subtype="FLOAT")
            return tmp_path / name

        return save

    @pytest.fixture
    def tone(self):
        """A tone of 440 Hz: (samples, rate) -> (samples,)."""
        return lambda samples, rate: (0.5 * np.sin(2 * np.pi * 440 / rate * np.arange(samples))).astype(np.float32)

    def test_reads_a_file_and_an_array_alike(self, saved, tone, rows_of):
        wave = tone(500, 8000)
        waveform = Waveform()
        raw = [saved(wave, 8000), None, (wave[:300], 8000)]
        waveform.fit(raw)
        assert waveform.size == 8000
        first, missing, second = rows_of(waveform(raw))
        np.testing.assert_allclose(first, wave, atol=1e-6)
        assert len(missing) == 0
        np.testing.assert_allclose(second, wave[:300], atol=1e-6)

    def test_sixteen_bits_are_from_minus_one_to_one(self, tmp_path, tone):
        soundfile.write(tmp_path / "sound.wav", tone(200, 8000), 8000, subtype="PCM_16")
        found = Waveform(8000)([tmp_path / "sound.wav"]).data
        np.testing.assert_allclose(found, tone(200, 8000), atol=1 / 32768)

    def test_channels_are_averaged(self, saved, random):
        stereo = random.uniform(-1, 1, size=(300, 2)).astype(np.float32)
        np.testing.assert_allclose(Waveform(8000)([saved(stereo, 8000)]).data, stereo.mean(axis=1), atol=1e-6)

    def test_another_rate_is_resampled(self, saved, tone):
        waveform = Waveform(8000)
        found = waveform([saved(tone(8000, 16000), 16000)]).data.numpy()
        assert len(found) == 4000
        np.testing.assert_allclose(found[500:3500], tone(4000, 8000)[500:3500], atol=1e-3)
        np.testing.assert_allclose(found, librosa.resample(tone(8000, 16000), orig_sr=16000, target_sr=8000), atol=1e-6)

    def test_cuts_what_is_too_long(self, saved, tone):
        wave = tone(8000, 8000)
        prepared = Waveform(8000, max_seconds=0.25)([saved(wave, 8000), (wave, 8000), (tone(16000, 16000), 16000)])
        assert prepared.lengths.tolist() == [2000, 2000, 2000]

    @pytest.mark.parametrize("threads", [1, 4])
    def test_names_all_that_cannot_be_read(self, saved, tmp_path, tone, threads):
        good = saved(tone(100, 8000), 8000)
        (tmp_path / "broken.wav").write_bytes(b"RIFF, but no sound")
        raw = [
            good,
            tmp_path / "broken.wav",
            saved(np.empty(0, np.float32), 8000, "empty.wav"),
            None,
            tmp_path / "missing.wav",
            (np.array([0.1, np.nan], np.float32), 8000),
        ]
        with pytest.raises(UnreadableError) as error:
            Waveform(8000, threads=threads)(raw)
        reasons = {failure.row: failure.reason for failure in error.value.failures}
        assert list(reasons) == [1, 2, 4, 5]
        assert reasons[2] == "it has no samples"
        assert reasons[4] == "not found"
        assert reasons[5] == "it has samples that are not numbers"

    def test_is_the_same_once_restored(self, through_json, tone):
        waveform = Waveform()
        waveform.fit([(tone(100, 8000), 8000)])
        raw = [(tone(300, 16000), 16000), None]
        other = through_json(waveform)
        assert other.size == 8000
        assert same(other(raw), waveform(raw))


class TestFeatures:
    @pytest.fixture
    def raw(self, random):
        """Sequences of 3 features, the last of which never varies; one row lacks them."""
        rows = [random.normal((5.0, -2.0, 4.0), (2.0, 0.1, 0.0), size=(steps, 3)) for steps in (4, 1, 7)]
        return [*rows[:2], None, rows[2]]

    def test_the_training_rows_have_mean_0_and_deviation_1(self, raw):
        features = Features()
        features.fit(raw)
        prepared = features(raw)
        assert features.size == 3
        assert prepared.lengths.tolist() == [4, 1, 0, 7]
        np.testing.assert_allclose(prepared.data.mean(dim=0), [0, 0, 0], atol=1e-5)
        np.testing.assert_allclose(prepared.data.std(dim=0, correction=0), [1, 1, 0], atol=1e-5)

    def test_other_rows_are_standardised_by_the_training_rows(self):
        features = Features()
        features.fit([np.array([0.0, 10.0]), np.array([4.0, 30.0])])  # means 2 and 20, deviations 2 and 10
        np.testing.assert_allclose(features([np.array([6.0, 25.0])]).data, [[2.0, 0.5]], rtol=1e-6)

    def test_can_be_left_as_they_are(self, raw):
        features = Features(standardise=False)
        features.fit(raw)
        np.testing.assert_allclose(features(raw).data, np.concatenate([r for r in raw if r is not None]), rtol=1e-6)

    def test_reads_files(self, tmp_path, random):
        rows = random.normal(size=(3, 2))
        np.save(tmp_path / "sequence.npy", rows)
        np.save(tmp_path / "vector.npy", rows[0])
        np.savez(tmp_path / "one.npz", anything=rows)
        raw = [tmp_path / "sequence.npy", tmp_path / "vector.npy", tmp_path / "one.npz", rows]
        features = Features(standardise=False)
        features.fit(raw)
        prepared = features(raw)
        assert prepared.lengths.tolist() == [3, 1, 3, 3]
        np.testing.assert_allclose(prepared.data, np.concatenate([rows, rows[:1], rows, rows]), rtol=1e-6)

    def test_names_all_that_cannot_be_read(self, tmp_path):
        np.save(tmp_path / "objects.npy", np.array([{"runs": "code"}]), allow_pickle=True)
        np.savez(tmp_path / "two.npz", a=np.ones(2), b=np.ones(2))
        (tmp_path / "broken.npy").write_bytes(b"this is no array")
        raw = [
            np.ones(2),
            tmp_path / "objects.npy",
            tmp_path / "two.npz",
            tmp_path / "broken.npy",
            None,
            tmp_path / "missing.npy",
            np.array([[0.0, 1.0], [np.nan, 1.0]]),
            np.ones((2, 2, 2)),
            np.empty((0, 2)),
        ]
        with pytest.raises(UnreadableError) as error:
            Features().fit(raw)
        reasons = {failure.row: failure.reason for failure in error.value.failures}
        assert list(reasons) == [1, 2, 3, 5, 7, 8]
        assert "allow_pickle=False" in reasons[1]
        assert "['a', 'b']" in reasons[2]
        assert reasons[5] == "not found"

    def test_a_step_that_is_no_number_is_missing_and_teaches_nothing(self):
        features = Features()
        raw = [np.array([[0.0, 1.0], [np.nan, 5.0], [2.0, 3.0]]), np.array([[-np.inf, 9.0]]), None]
        features.fit(raw)
        assert (features.mean.tolist(), features.std.tolist()) == ([1.0, 2.0], [1.0, 1.0])
        data, lengths, mask = features(raw)
        assert lengths.tolist() == [3, 1, 0]
        assert mask.tolist() == [True, False, True, False]
        assert data[mask].tolist() == [[-1.0, -1.0], [1.0, 1.0]]

    def test_fits_alike_however_many_rows_are_read_at_a_time(self, monkeypatch, random):
        raw = [random.standard_normal((1 + i % 4, 3)) for i in range(50)]
        monkeypatch.setattr("mmfuse.prepare.features.CHUNK", 7)
        features = Features()
        features.fit(raw)
        joined = np.concatenate(raw)
        np.testing.assert_allclose(features.mean, joined.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(features.std, joined.std(axis=0), rtol=1e-5)

    def test_names_rows_of_another_width(self):
        features = Features()
        features.fit([np.ones(3), np.ones((2, 3))])
        with pytest.raises(UnreadableError) as error:
            features([np.ones(3), np.ones(4), None, np.ones((5, 2))])
        assert [failure.row for failure in error.value.failures] == [1, 3]
        assert error.value.failures[0].reason == "4 features, where the training rows have 3"

    def test_is_the_same_once_restored(self, through_json, raw):
        features = Features()
        features.fit(raw)
        other = through_json(features)
        assert other.size == 3
        assert same(other(raw), features(raw))
