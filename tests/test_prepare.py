"""From raw values to what encoders read."""

import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile
import torch
from PIL import ExifTags, Image

from mmfuse.prepare.features import Features
from mmfuse.prepare.pixels import Pixels
from mmfuse.prepare.segment import jieba, segmented
from mmfuse.prepare.waveform import Waveform
from mmfuse.prepare.words import Words
from mmfuse.types import Ragged, UnreadableError


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

    @pytest.mark.parametrize(
        "rules",
        [
            {"lowercase": False},
            {"level": "character"},
            {"level": "subword", "max_words": 40},
            {"segment": "jieba"},
            {"stop_words": ["en", "zh"], "segment": "jieba"},
            {"stem": "german"},
            {"lemmatise": "de", "lowercase": False},
            {"level": "subword", "stem": "english", "stop_words": ["en"]},
        ],
        ids=str,
    )
    def test_every_rule_is_restored(self, rules, through_json):
        words = Words(min_count=1, max_length=9, **rules)
        words.fit(["The quick, brown foxes", "die Füchse im Haus", "我来到北京清华大学", "its houses"])
        raw = ["The fox, quick and brown", None, "das Häuschen der Füchse", "北京大学", "", "and the"]
        other = through_json(words)
        assert other.size == words.size
        assert same(other(raw), words(raw))
        assert other.state() == words.state()

    def test_case_and_accents_can_be_kept(self):
        words = Words(min_count=1, lowercase=False)
        words.fit(["rot Rot röt"])
        assert words.size == 5
        assert len(set(words(["rot", "Rot", "röt"]).data.tolist())) == 3

    def test_refuses_a_value_that_is_no_text(self):
        words = Words()
        with pytest.raises(UnreadableError) as error:
            words.fit(["text", None, 3.5, "half a \ud83d", ["split", 3], []])
        assert [failure.row for failure in error.value.failures] == [2, 3, 4, 5]
        reasons = [failure.reason for failure in error.value.failures]
        assert reasons[0] == "it is a float, where text is needed"
        assert reasons[2:] == ["3 at place 1 is no word", "it has no words"]
        error.value.failures[1].value.encode()  # can be printed


class TestCharacters:
    def test_are_numbered_one_by_one_spaces_among_them(self):
        words = Words(min_count=1, level="character")
        words.fit(["Ab ba"])
        assert words.size == 5  # padding, unknown, a, b and the space
        a, b = words(["ab"]).data.tolist()
        assert words(["  bA\n\tb "]).data.tolist() == [b, a, words([" a b"]).data[1], b]
        assert words(["x"]).data.tolist() == [1]

    def test_a_korean_syllable_is_one(self):
        words = Words(min_count=1, level="character")
        words.fit(["한국어"])
        assert words(["한국어", "국"]).lengths.tolist() == [3, 1]

    def test_chinese_has_no_spaces_that_it_did_not_have(self):
        words = Words(min_count=1, level="character")
        words.fit(["这个数字"])
        assert words(["数字"]).lengths.tolist() == [2]


class TestSubwords:
    """The example of Sennrich et al., 2016, section 3.2."""

    TEXTS = ("low " * 5 + "lower " * 2, "newest " * 6 + "widest " * 3)

    def test_an_unseen_word_is_made_of_seen_parts(self):
        words = Words(min_count=1, level="subword")
        words.fit(self.TEXTS)
        names = {number: name for name, number in words.tokenizer.get_vocab().items()}
        parts = [names[n] for n in words(["lowest"]).data.tolist()]
        assert parts[-1] == "est</w>"  # the paper's first two merges
        assert "".join(parts) == "lowest</w>"

    @pytest.mark.parametrize("most", [10, 24, 30])
    def test_there_are_no_more_than_asked_for(self, most):
        words = Words(min_count=1, max_words=most, level="subword")
        words.fit(self.TEXTS)
        assert words.size <= most
        assert words(self.TEXTS).data.max() < words.size

    def test_without_a_limit_frequent_words_are_whole(self):
        words = Words(min_count=1, level="subword")
        words.fit(self.TEXTS)
        assert words(["newest low"]).lengths.tolist() == [2]


class TestForms:
    def test_stop_words_of_several_languages_go(self):
        words = Words(min_count=1, stop_words=["en", "de"])
        words.fit(["The house and the FÜR mouse", "und das Haus"])
        assert words(["The house and the FÜR mouse", "und das Haus", "the"]).lengths.tolist() == [2, 1, 1]
        assert words(["the and"]).data.tolist() == [1]  # nothing is left: one unknown word

    def test_chinese_stop_words_are_of_several_characters(self):
        words = Words(min_count=1, segment="jieba", stop_words=["zh"])
        words.fit(["我们爱北京"])
        assert words(["我们爱北京"]).lengths.tolist() == [2]

    @pytest.mark.parametrize(
        ("rule", "alike", "other"),
        [
            ({"stem": "english"}, ["consist", "Consisted", "consistency", "consisting"], "consign"),  # Snowball's page
            ({"stem": "german"}, ["Häuser", "häusern", "Haus"], "Haut"),
            ({"lemmatise": "en"}, ["mouse", "mice", "Mice"], "house"),
            ({"lemmatise": "de"}, ["Haus", "Häuser", "Häusern"], "Haut"),
        ],
    )
    def test_forms_of_a_word_have_one_number(self, rule, alike, other):
        words = Words(min_count=len(alike), **rule)
        words.fit([*alike, *[other] * len(alike)])
        assert words.size == 4
        numbers = words([*alike, other]).data.tolist()
        assert len(set(numbers[:-1])) == 1
        assert 1 not in numbers
        assert numbers[-1] != numbers[0]

    def test_punctuation_and_line_breaks_part_words_as_they_always_do(self):
        """With a stemmer that changes none of these words."""
        raw = ["to (be), or\nnot-to\u3000be", "北京or", "a\tb  c"]
        plain, stemmed = Words(min_count=1), Words(min_count=1, stem="english")
        plain.fit(raw)
        stemmed.fit(raw)
        assert same(stemmed(raw), plain(raw))

    def test_each_word_is_looked_up_once(self, monkeypatch):
        asked = []
        monkeypatch.setattr("simplemma.lemmatize", lambda word, language: asked.append(word) or word)
        words = Words(min_count=1, lemmatise="en")
        words.fit(["red green red", "green"])
        words(["red red", ["red", "red"]])
        assert sorted(asked) == ["green", "red"]

    @pytest.mark.parametrize(
        ("rules", "says"),
        [
            ({"stem": "english", "lemmatise": "en"}, "choose one"),
            ({"stem": "englisch"}, "did you mean 'english'"),
            ({"stem": "EN"}, "stem=EN"),
            ({"lemmatise": "english"}, "lemmatise=english: there is no such dictionary"),
            ({"stop_words": ["en", "xx"]}, "no list for 'xx'"),
        ],
    )
    def test_refuses_what_there_is_not(self, rules, says):
        with pytest.raises(ValueError, match=says):
            Words(**rules)

    @pytest.mark.parametrize(
        ("library", "rules", "extra"),
        [
            ("snowballstemmer", {"stem": "english"}, "text"),
            ("simplemma", {"lemmatise": "en"}, "text"),
            ("stopwordsiso", {"stop_words": ["en"]}, "text"),
            ("jieba", {"segment": "jieba"}, "zh"),
        ],
    )
    def test_says_what_to_install(self, library, rules, extra, monkeypatch):
        for module in [m for m in sys.modules if m.split(".")[0] == library]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, library, None)
        jieba.cache_clear()
        with pytest.raises(ValueError, match=rf"pip install 'mmfuse\[{extra}\]'"):
            Words(**rules)


class TestSegment:
    def test_cuts_chinese_and_nothing_else(self):
        """The first sentence of jieba's own page, among letters that jieba would cut at the accent."""
        assert segmented("我来到北京清华大学").split() == ["我", "来到", "北京", "清华大学"]
        assert segmented("die Füchse, 3.5 %") == "die Füchse, 3.5 %"
        assert segmented("in北京für我").split() == ["in", "北京", "für", "我"]

    def test_a_word_of_several_characters_has_one_number(self):
        words = Words(min_count=1, segment="jieba")
        words.fit(["我来到北京清华大学", "Die Stadt北京"])
        assert words(["北京清华大学", "Stadt 北京", "京"]).lengths.tolist() == [2, 2, 1]
        assert words(["北京", "stadt北京", "京"]).data.tolist()[2:] == [words(["北京"]).data.item(), 1]

    def test_says_nothing_and_leaves_nothing(self, tmp_path):
        code = "from mmfuse.prepare.segment import segmented; segmented('北京大学')"
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert not list(tmp_path.iterdir())


class TestSplitWords:
    ROWS = (["The", "U.S.", "isn't", "New York", "", "[PAD]"], ["the", "u.s.", "北京"])

    def test_each_is_one_step(self):
        words = Words(min_count=1)
        words.fit([*self.ROWS, None])
        prepared = words([self.ROWS[0], None, np.array(self.ROWS[1], object), ("never", "U.S.")])
        assert prepared.lengths.tolist() == [6, 0, 3, 2]
        the, us, isnt, york, nothing, pad, *rest = prepared.data.tolist()
        assert rest == [the, us, rest[2], 1, us]
        assert nothing == 1
        assert len({0, 1, the, us, isnt, york, pad, rest[2]}) == 8

    def test_rare_ones_are_unknown(self):
        words = Words(min_count=2)
        words.fit(self.ROWS)
        assert words([self.ROWS[1]]).data.tolist().count(1) == 1  # 北京

    def test_nothing_spells_padding(self):
        words = Words(min_count=1, lowercase=False)
        words.fit([["[PAD]", "a", "[UNK]"]])
        assert words([["[PAD]", "a", "[UNK]"]]).data.tolist() == [1, 2, 1]

    def test_stop_words_stay_and_stems_are_taken(self):
        words = Words(min_count=1, stop_words=["en"], stem="english")
        words.fit([["the", "consistency", "of"]])
        prepared = words([["The", "consisting", "of"], "The consisting"])
        assert prepared.lengths.tolist() == [3, 1]
        assert prepared.data[1] == prepared.data[3] != 1

    def test_what_is_too_long_is_cut(self, through_json):
        words = Words(min_count=1, max_length=2)
        words.fit(self.ROWS)
        assert through_json(words)(self.ROWS).lengths.tolist() == [2, 2]

    def test_are_the_same_once_restored(self, through_json):
        words = Words(min_count=1, stem="english")
        words.fit(self.ROWS)
        assert same(through_json(words)([*self.ROWS, "the U.S."]), words([*self.ROWS, "the U.S."]))

    @pytest.mark.parametrize("level", ["character", "subword"])
    def test_are_refused_at_other_levels(self, level):
        with pytest.raises(UnreadableError) as error:
            Words(level=level).fit(["a text", ["split", "text"]])
        ((row, _, reason, _),) = error.value.failures
        assert row == 1
        assert "level=word" in reason


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

    def test_crops_to_the_middle(self):
        """A third of each grey; the middle one is as high as wide."""
        thirds = np.repeat(np.array([[10, 120, 240]], np.uint8), 20, axis=0).repeat(20, axis=1)  # (20, 60)
        for side, edge in ((20, 0), (10, 1)):  # made smaller, pixels at the edge take from beyond it
            pixels = Pixels([side, side], fit="crop")
            pixels.fit([thirds, thirds.T])
            middle = pixels([thirds, thirds.T]).data[..., edge : side - edge, edge : side - edge].float()
            np.testing.assert_allclose(middle, np.full(middle.shape, 120), atol=edge)

    @pytest.mark.parametrize("color", [False, True])
    def test_pads_with_grey(self, color):
        wide = np.full((10, 20), 200, np.uint8)
        pixels = Pixels([40, 40], fit="pad", color=color)
        pixels.fit([wide])
        prepared = pixels([wide, wide.T]).data.numpy()
        assert prepared.shape == (2, 3 if color else 1, 40, 40)
        assert (prepared[0, :, 10:30] == 200).all()
        assert (prepared[0, :, :10] == 128).all()
        assert (prepared[0, :, 30:] == 128).all()
        np.testing.assert_array_equal(prepared[1], prepared[0].transpose(0, 2, 1))

    @pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
    def test_a_picture_of_the_same_shape_is_resized_and_no_more(self, fit, random):
        picture = random.integers(256, size=(30, 40, 3), dtype=np.uint8)
        pixels = Pixels([9, 12], fit=fit)
        pixels.fit([picture])
        expected = np.asarray(Image.fromarray(picture).resize((12, 9), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(pixels([picture]).data[0].numpy(), expected.transpose(2, 0, 1))

    @pytest.mark.parametrize(
        ("orientation", "upright"),  # where the first row and the first column belong: Exif 2.3, 4.6.4 A
        [
            (1, lambda a: a),
            (2, lambda a: a[:, ::-1]),
            (3, lambda a: a[::-1, ::-1]),
            (4, lambda a: a[::-1]),
            (5, lambda a: a.transpose(1, 0, 2)),
            (6, lambda a: a[::-1].transpose(1, 0, 2)),
            (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
            (8, lambda a: a[:, ::-1].transpose(1, 0, 2)),
        ],
    )
    def test_a_picture_is_turned_upright(self, tmp_path, colored, orientation, upright):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        Image.fromarray(colored).save(tmp_path / "turned.png", exif=exif)
        pixels = Pixels()
        pixels.fit([tmp_path / "turned.png"])
        expected = upright(colored).transpose(2, 0, 1)
        np.testing.assert_array_equal(pixels([tmp_path / "turned.png"]).data[0].numpy(), expected)

    def test_a_large_jpeg_is_turned_upright(self, tmp_path):
        image = Image.new("RGB", (640, 480), (200, 40, 40))
        image.paste((40, 40, 200), (320, 0, 640, 480))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6  # what lies left is shown above
        image.save(tmp_path / "turned.jpg", exif=exif)
        pixels = Pixels([16, 12])
        pixels.fit([tmp_path / "turned.jpg"])
        picture = pixels([tmp_path / "turned.jpg"]).data[0].float()
        np.testing.assert_allclose(picture[:, :6].mean(dim=(1, 2)), [200, 40, 40], atol=4)
        np.testing.assert_allclose(picture[:, 10:].mean(dim=(1, 2)), [40, 40, 200], atol=4)

    def test_reads_what_a_file_holds(self, saved, colored):
        path = saved(Image.fromarray(colored))
        held = path.read_bytes()
        raw = [held, {"bytes": held, "path": None}, {"bytes": None, "path": str(path)}, {"bytes": held, "path": "gone"}]
        pixels = Pixels()
        pixels.fit(raw)
        np.testing.assert_array_equal(pixels(raw).data.numpy(), [colored.transpose(2, 0, 1)] * 4)

    def test_an_array_may_have_an_axis_for_its_one_channel(self, random):
        grey = random.integers(256, size=(5, 7, 1), dtype=np.uint8)
        pixels = Pixels()
        pixels.fit([grey])
        np.testing.assert_array_equal(pixels([grey]).data.numpy(), grey.transpose(2, 0, 1)[None])

    def test_normalised_by_the_training_pictures(self, random):
        """Each channel of them has mean 0 and deviation 1, and others are scaled as they are."""
        training = random.integers(256, size=(6, 5, 7, 3), dtype=np.uint8)
        training[..., 2] = 9  # never varies
        other = random.integers(256, size=(5, 7, 3), dtype=np.uint8)
        pixels = Pixels(normalise="training", threads=2)
        pixels.fit([*training[:4], None, *training[4:]])
        mean, std = training.mean(axis=(0, 1, 2)), training.std(axis=(0, 1, 2))
        std[2] = 1
        prepared = pixels([other, None, *training]).data
        assert prepared.dtype == torch.float32
        np.testing.assert_allclose(prepared[0], ((other - mean) / std).transpose(2, 0, 1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(prepared[1:].mean(dim=(0, 2, 3)), [0, 0, 0], atol=1e-5)
        np.testing.assert_allclose(prepared[1:].std(dim=(0, 2, 3), correction=0), [1, 1, 0], atol=1e-5)

    def test_normalised_by_imagenet(self):
        """Black and white are known to become these: the ends of what networks for ImageNet read."""
        black = np.zeros((2, 2), np.uint8)
        pixels = Pixels(normalise="imagenet")
        pixels.fit([black])
        assert pixels.size == 3
        prepared = pixels([black, 255 - black]).data
        np.testing.assert_allclose(prepared[0, :, 0, 0], [-2.1179, -2.0357, -1.8044], atol=1e-4)
        np.testing.assert_allclose(prepared[1, :, 0, 0], [2.2489, 2.4286, 2.6400], atol=1e-4)

    @pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
    @pytest.mark.parametrize("progressive", [False, True])
    def test_a_jpeg_that_is_cut_short_is_no_picture(self, tmp_path, random, kept, progressive):
        """Not even where it is decoded at a fraction of its size."""
        noise = Image.fromarray(random.integers(256, size=(90, 120, 3), dtype=np.uint8)).resize((1200, 900))
        noise.save(tmp_path / "whole.jpg", progressive=progressive)
        held = (tmp_path / "whole.jpg").read_bytes()
        (tmp_path / "cut.jpg").write_bytes(held[: int(len(held) * kept)])
        with Image.open(tmp_path / "whole.jpg") as image:
            assert image.draft("RGB", (200, 200))
            assert image.width < 1200
        pixels = Pixels([100, 100], color=True)
        with pytest.raises(UnreadableError) as error:
            pixels([tmp_path / "whole.jpg", tmp_path / "cut.jpg"])
        assert [failure.row for failure in error.value.failures] == [1]
        assert "truncated" in error.value.failures[0].reason

    def test_fitting_names_at_once_all_that_it_looks_into(self, tmp_path, random):
        noise = Image.fromarray(random.integers(256, size=(40, 40, 3), dtype=np.uint8))
        noise.save(tmp_path / "whole.jpg")
        (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-500])
        raw = [tmp_path / "whole.jpg", None, tmp_path / "cut.jpg", tmp_path / "missing.jpg"]
        pixels = Pixels(normalise="training")
        with pytest.raises(UnreadableError) as error:
            pixels.fit(raw)
        assert [failure.row for failure in error.value.failures] == [2, 3]
        pixels.fit([raw[0], None, None, None])
        np.testing.assert_allclose(pixels(raw[:1]).data.mean(), 0, atol=1e-5)

    @pytest.mark.parametrize(
        ("picture", "says"),
        [
            (np.zeros((4, 4), np.float32), "float32"),
            (np.zeros((4, 4), np.int64), "int64"),
            (np.zeros((2, 4, 4, 3), np.uint8), r"\(2, 4, 4, 3\)"),
            (b"no picture", "cannot identify image file it"),
            ({"bytes": None, "path": None}, "neither bytes nor a path"),
        ],
    )
    def test_refuses_what_is_no_picture(self, picture, says):
        with pytest.raises(UnreadableError, match=says):
            Pixels([4, 4], color=True)([picture])

    def test_refuses_values_that_bytes_cannot_hold(self, saved):
        floats = Image.fromarray(np.array([[-2.0, 300.0]], np.float32))
        with pytest.raises(UnreadableError, match="from -2 to 300"):
            Pixels([1, 2], color=False)([saved(floats, "floats.tif")])

    @pytest.mark.parametrize(
        "wrong",
        [{"fit": "zoom"}, {"normalise": "mean"}, {"normalise": "imagenet", "color": False}, {"size": [0, 3]}],
    )
    def test_refuses_settings_that_cannot_be(self, wrong):
        with pytest.raises((ValueError, TypeError), match="|".join(wrong)):
            Pixels(**wrong)

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

    @pytest.mark.parametrize(
        "pixels",
        [Pixels(), Pixels([4, 4], "crop", normalise="training"), Pixels([3, 9], "pad", normalise="imagenet")],
        ids=["plain", "crop-training", "pad-imagenet"],
    )
    def test_is_the_same_once_restored(self, through_json, colored, pixels):
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

    @pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "FLOAT"), ("aiff", "PCM_24")])
    @pytest.mark.parametrize("kept", [0.5, 0.95])
    def test_a_sound_that_is_cut_short_is_no_sound(self, tmp_path, tone, suffix, subtype, kept):
        """libsndfile reads what is there and says nothing, even where all that is wanted is there."""
        file = tmp_path / f"sound.{suffix}"
        soundfile.write(file, tone(8000, 8000), 8000, subtype=subtype)
        whole = file.read_bytes()
        cut = whole[: int(len(whole) * kept)]
        file.write_bytes(cut)
        for max_seconds in (10.0, 0.1):
            with pytest.raises(UnreadableError) as error:
                Waveform(8000, max_seconds)([whole, file, cut])
            assert [failure.row for failure in error.value.failures] == [1, 2]
            assert "cut short" in error.value.failures[0].reason

    def test_a_flac_that_is_cut_short_is_no_sound(self, tmp_path, random):
        soundfile.write(tmp_path / "sound.flac", random.uniform(-1, 1, size=20000), 8000)
        (tmp_path / "cut.flac").write_bytes((tmp_path / "sound.flac").read_bytes()[:15000])
        with pytest.raises(UnreadableError) as error:
            Waveform(8000)([tmp_path / "sound.flac", tmp_path / "cut.flac"])
        assert [failure.row for failure in error.value.failures] == [1]

    def test_a_stream_of_unknown_length_is_read_to_its_end(self, tmp_path, tone):
        soundfile.write(tmp_path / "sound.wav", tone(200, 8000), 8000, subtype="PCM_16")
        held = (tmp_path / "sound.wav").read_bytes()
        data = held.index(b"data")
        streamed = held[:4] + b"\xff\xff\xff\xff" + held[8 : data + 4] + b"\xff\xff\xff\xff" + held[data + 8 :]
        assert same(Waveform(8000)([streamed]), Waveform(8000)([held]))

    def test_reads_what_a_file_holds(self, saved, tone):
        path = saved(tone(500, 8000), 8000)
        held = path.read_bytes()
        raw = [held, {"bytes": held, "path": None}, {"bytes": None, "path": str(path)}]
        waveform = Waveform()
        waveform.fit(raw)
        assert waveform.size == 8000
        np.testing.assert_allclose(waveform(raw).data.reshape(3, 500), [tone(500, 8000)] * 3, atol=1e-6)

    def test_whole_numbers_are_scaled_as_a_file_of_them_is(self, tmp_path, random):
        numbers = random.integers(-(2**15), 2**15, size=300, dtype=np.int16)
        soundfile.write(tmp_path / "sound.wav", numbers, 8000, subtype="PCM_16")
        assert same(Waveform(8000)([(numbers, 8000)]), Waveform(8000)([tmp_path / "sound.wav"]))

    def test_silence_at_either_end_is_taken_off(self, tone, random):
        """As librosa does, before what is too long is cut."""
        noise = 1e-4 * random.normal(size=24000).astype(np.float32)
        wave = noise + np.pad(tone(8000, 8000), 8000)
        found = Waveform(8000, trim=30.0)([(wave, 8000)]).data.numpy()
        np.testing.assert_array_equal(found, librosa.effects.trim(wave, top_db=30)[0])
        assert 8000 <= len(found) <= 8000 + 2 * 2048
        short = Waveform(8000, max_seconds=0.5, trim=30.0)([(wave, 8000)]).data.numpy()
        np.testing.assert_array_equal(short, found[:4000])
        assert len(Waveform(8000, trim=80.0)([(wave, 8000)]).data) == 24000

    def test_a_file_is_trimmed_before_it_is_cut(self, saved, tone):
        path = saved(np.pad(tone(4000, 8000), (12000, 0)), 8000)
        found = Waveform(8000, max_seconds=1.0, trim=30.0)([path]).data.numpy()
        assert np.abs(found).max() > 0.49

    def test_loudness_can_be_made_equal(self, tone):
        quiet, silent = (0.01 * tone(800, 8000), 8000), (np.zeros(800, np.float32), 8000)
        peak = Waveform(8000, normalise="peak")([quiet, silent]).data.reshape(2, 800)
        np.testing.assert_allclose(peak.abs().amax(dim=1), [1, 0], rtol=1e-6)
        np.testing.assert_allclose(peak[0], 2 * tone(800, 8000), atol=1e-2)
        level = Waveform(8000, normalise="rms")([quiet, silent]).data.reshape(2, 800)
        np.testing.assert_allclose(level.square().mean(dim=1).sqrt(), [0.1, 0], rtol=1e-5)

    @pytest.mark.parametrize("wrong", [{"trim": 0.0}, {"trim": -3.0}, {"normalise": "max"}])
    def test_refuses_settings_that_cannot_be(self, wrong):
        with pytest.raises((ValueError, TypeError), match="|".join(wrong)):
            Waveform(**wrong)

    @pytest.mark.parametrize("array", [np.zeros((2, 9), np.float32), np.zeros(9, np.uint8)])
    def test_refuses_arrays_that_are_no_sound(self, array):
        with pytest.raises(UnreadableError, match="needed"):
            Waveform(8000)([(array, 8000)])

    @pytest.mark.parametrize(
        "waveform", [Waveform(), Waveform(max_seconds=0.02, trim=20.0, normalise="rms")], ids=["plain", "trim-rms"]
    )
    def test_is_the_same_once_restored(self, through_json, tone, waveform):
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
