"""The text encoders, each against another library or a computation by hand, and words' vectors from files."""

import gzip
import re
import struct
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.feature_extraction.text import TfidfVectorizer

from mmfuse.cli import main
from mmfuse.encoders import tfidf
from mmfuse.encoders.attention_blocks import Blocks
from mmfuse.encoders.bag import Bag
from mmfuse.encoders.bag_of_words import BagOfWords
from mmfuse.encoders.embedding_lstm import EmbeddingLSTM
from mmfuse.encoders.text_cnn import TextCNN
from mmfuse.encoders.text_transformer import TextTransformer
from mmfuse.errors import ConfigError, DataError
from mmfuse.prepare.tfidf import Tfidf
from mmfuse.prepare.words import Words
from mmfuse.types import Ragged, Signal, UnreadableError

TEXTS = ["The red fox, the quick one", "a red house", "die Häuser der Füchse", "the FOX and the house", "red red red"]
OTHERS = ["the red, red hound", "the fox of the house", "nothing known"]
ABLE = (Bag, EmbeddingLSTM, TextCNN, TextTransformer)  # to start from vectors


def dense(ragged: Ragged, size: int) -> np.ndarray:
    """(N, size) of the pairs."""
    table = np.zeros((len(ragged.lengths), size), np.float32)
    for row, pairs in enumerate(ragged.data.split(ragged.lengths.tolist())):
        np.add.at(table[row], pairs[:, 0].long().numpy(), pairs[:, 1].numpy())
    return table


def full(words: torch.Tensor) -> Signal:
    return Signal(words, torch.ones(words.shape[:2], dtype=torch.bool))


class TestTfidf:
    @pytest.mark.parametrize("ngrams", [1, 3])
    @pytest.mark.parametrize("sublinear", [False, True])
    @pytest.mark.parametrize("min_count", [1, 2])
    def test_is_scikit_learns_on_the_same_words(self, ngrams, sublinear, min_count):
        """Words here are what lies between spaces, which is what both cut these texts into."""
        texts = ["the red fox the quick one", "a red house", "the fox and the house", "red red red"]
        library = TfidfVectorizer(
            tokenizer=str.split, token_pattern=None, ngram_range=(1, ngrams), sublinear_tf=sublinear, min_df=min_count
        )
        ours = Tfidf(ngrams=ngrams, sublinear=sublinear, min_count=min_count)
        library.fit(texts)
        ours.fit(texts)
        for asked in (texts, [*OTHERS[1:], "red the red"]):
            expected = library.transform(asked).toarray().astype(np.float32)
            assert np.array_equal(dense(ours(asked), ours.size), expected)

    def test_the_most_frequent_terms_are_kept(self):
        preparation = Tfidf(min_count=1, max_words=2)
        preparation.fit(["a a a b", "b b c", "b a"])
        assert preparation.state()["terms"] == ["a", "b"]

    def test_its_words_are_those_of_the_words_preparation(self):
        rules = {"stop_words": ["en"], "stem": "german", "min_count": 1}
        preparation, words = Tfidf(**rules), Words(**rules)
        preparation.fit(TEXTS)
        words.fit(TEXTS)
        assert set(preparation.state()["terms"]) == set(words.tokenizer.get_vocab()) - {"[PAD]", "[UNK]"}

    def test_chinese_is_cut_by_jieba(self):
        preparation = Tfidf(min_count=1, segment="jieba")
        preparation.fit(["我来到北京清华大学"])
        assert set(preparation.state()["terms"]) == {"我", "来到", "北京", "清华大学"}  # jieba's own page

    def test_split_words_are_terms_as_they_are(self):
        preparation = Tfidf(min_count=1)
        preparation.fit([["New York", "U.S."], None, np.array(["u.s."], object)])
        assert preparation.state()["terms"] == ["new york", "u.s."]

    def test_a_text_without_known_terms_is_there_and_weighs_nothing(self):
        preparation = Tfidf(min_count=2)
        preparation.fit(TEXTS)
        prepared = preparation(["red", "", None, "unheard of", "...", "fox"])
        assert prepared.lengths.tolist() == [1, 1, 0, 1, 1, 1]
        assert prepared.data[1:4].tolist() == [[0.0, 0.0]] * 3
        assert prepared.data[[0, 4], 1].tolist() == [1.0, 1.0]  # one term has all of the norm
        assert preparation([None]).lengths.tolist() == [0]

    @pytest.mark.parametrize("rules", [{}, {"ngrams": 2, "sublinear": True, "stop_words": ["en"], "stem": "english"}])
    def test_is_the_same_once_restored(self, rules, through_json):
        preparation = Tfidf(min_count=1, **rules)
        preparation.fit(TEXTS)
        other, asked = through_json(preparation), [*TEXTS, *OTHERS, None, ""]
        assert other.size == preparation.size
        assert other.state() == preparation.state()
        assert other(asked).data.equal(preparation(asked).data)
        assert other(asked).lengths.equal(preparation(asked).lengths)

    def test_refuses_what_is_no_text_and_texts_without_terms(self):
        with pytest.raises(UnreadableError):
            Tfidf().fit(["text", 3.5])
        with pytest.raises(DataError, match=r"no term comes in 2 or more of the 2 training texts\n  to go on: .*min_c"):
            Tfidf(min_count=2).fit(["one", "two", None])
        with pytest.raises(DataError, match="no term"):
            Tfidf(min_count=1).fit(["", "..." * 0])

    def test_the_encoder_is_a_linear_map_of_the_whole_vector(self):
        preparation = Tfidf(min_count=1)
        preparation.fit(TEXTS)
        encoder = tfidf.Tfidf(preparation.size, dim=6)
        torch.nn.init.normal_(encoder.bias)
        prepared = preparation(OTHERS)
        pairs = torch.nn.utils.rnn.pad_sequence(prepared.data.split(prepared.lengths.tolist()), batch_first=True)
        mask = torch.arange(pairs.shape[1]) < prepared.lengths[:, None]
        expected = F.linear(torch.from_numpy(dense(prepared, preparation.size)), encoder.terms.weight.T, encoder.bias)
        torch.testing.assert_close(encoder(Signal(pairs, mask)).data[:, 0], expected)

    def test_the_encoder_refuses_numbers_that_halves_cannot_hold(self):
        with pytest.raises(ConfigError, match=r"trainer\.precision=32-true"):
            tfidf.Tfidf(5)(Signal(torch.ones(1, 1, 2).bfloat16(), torch.ones(1, 1, dtype=torch.bool)))


class TestBagOfWords:
    @pytest.mark.parametrize(("counts", "expected"), [(False, [0, 0, 0, 1, 1, 0]), (True, [0, 0, 0, 2, 1, 0])])
    def test_is_one_layer_over_the_words_that_a_text_has(self, counts, expected):
        """Words 0 and 1 are padding and all that is unknown: Keras's matrix of a text leaves both out."""
        encoder = BagOfWords(6, dim=5, counts=counts)
        torch.nn.init.normal_(encoder.layer.bias)
        words = torch.tensor([[3, 4, 1, 3, 5]])  # the last is masked
        found = encoder(Signal(words, torch.tensor([[True, True, True, True, False]])))
        weight, bias = (p.detach().numpy() for p in (encoder.layer.weight, encoder.layer.bias))
        np.testing.assert_allclose(found.data[0, 0].detach(), np.tanh(weight @ np.array(expected) + bias), atol=1e-6)

    def test_refuses_vectors_that_it_would_not_use(self):
        with pytest.raises(ValueError, match="the encoder bag"):
            BagOfWords(6, vectors=torch.zeros(6, 3))

    def test_starts_by_glorots_rule(self):
        encoder = BagOfWords(300, dim=200)
        assert encoder.layer.weight.abs().max() <= np.sqrt(6 / 500)
        assert encoder.layer.weight.std().item() == pytest.approx(np.sqrt(2 / 500), rel=0.05)
        assert not encoder.layer.bias.any()


class TestBag:
    def test_pooled_it_is_the_mean_of_the_words_vectors(self):
        vectors = torch.tensor([[0.0, 0], [1, 2], [3, 4], [5, 12]])
        signal = Signal(torch.tensor([[1, 3, 0], [2, 2, 1]]), torch.tensor([[True, True, False], [True] * 3]))
        encoded = Bag(4, vectors=vectors).eval()(signal)
        assert encoded.pooled().tolist() == [[3.0, 7.0], [pytest.approx(7 / 3), pytest.approx(10 / 3)]]


class TestTextCNN:
    def test_is_kims_windows_text_by_text(self):
        """Against the formulas of its section 2: c_i = f(w x_(i:i+h-1) + b) and max c, each text by itself."""
        encoder = TextCNN(30, widths=(2, 4), filters=3, embedding=5).eval()
        lengths = [7, 4, 3, 1]
        words = torch.randint(1, 30, (4, 9))
        encoded = encoder(Signal(words, torch.arange(9) < torch.tensor(lengths)[:, None])).data
        assert encoded.shape == (4, 1, 6)
        for row, length in enumerate(lengths):
            x = encoder.embed(words[row, :length])  # (T, E)
            expected = []
            for w, h in zip(encoder.windows, (2, 4), strict=True):
                text = torch.cat([x, torch.zeros(max(0, h - length), 5)])
                answers = [(w.weight * text[i : i + h].T).sum(dim=(1, 2)) + w.bias for i in range(len(text) - h + 1)]
                expected.append(torch.stack(answers).relu().amax(dim=0))
            torch.testing.assert_close(encoded[row, 0], torch.cat(expected))

    def test_a_word_that_is_hidden_within_a_text_is_zeros(self):
        encoder = TextCNN(9, widths=(3,), filters=4).eval()
        words = torch.tensor([[3, 4, 5, 6]])
        hidden = encoder(Signal(words, torch.tensor([[True, False, True, True]])))
        torch.testing.assert_close(hidden.data, encoder(full(torch.tensor([[3, 0, 5, 6]]))).data)

    def test_refuses_no_windows(self):
        with pytest.raises(ValueError, match="a window is needed"):
            TextCNN(9, widths=())


class TestTransformer:
    def test_words_know_their_places(self):
        encoder = TextTransformer(9, dim=8, heads=2).eval()
        one, other = encoder(full(torch.tensor([[3, 4, 5]]))), encoder(full(torch.tensor([[5, 4, 3]])))
        assert not torch.allclose(one.pooled(), other.pooled(), atol=1e-3)

    def test_the_blocks_are_torchs_own_over_each_row_alone(self):
        blocks = Blocks(8, heads=2, layers=2, feedforward=16).eval()
        data, lengths = torch.randn(3, 5, 8), torch.tensor([5, 2, 0])
        mask = torch.arange(5) < lengths[:, None]
        data[~mask] = torch.nan
        layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        whole = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False).eval()
        whole.layers.load_state_dict(blocks.blocks.state_dict())
        out = blocks(data, mask)
        for row, length in enumerate(lengths[:2]):
            torch.testing.assert_close(out[row, :length], whole(data[[row], :length])[0])
        assert not out[~mask].any()

    @pytest.mark.parametrize("recorded", [True, False])  # without gradients torch computes it in another way
    def test_a_row_of_nothing_is_finite(self, recorded):
        with torch.set_grad_enabled(recorded):
            out = Blocks(8, heads=2).eval()(torch.full((2, 3, 8), torch.nan), torch.zeros(2, 3, dtype=torch.bool))
        assert not out.any()

    def test_layers_start_from_weights_of_their_own(self):
        one, other = Blocks(8, layers=2).blocks
        assert not torch.equal(one.linear1.weight, other.linear1.weight)

    def test_refuses_a_width_that_heads_cannot_share(self):
        with pytest.raises(ValueError, match="heads=3 share it"):
            TextTransformer(9, dim=8, heads=3)
        with pytest.raises(ValueError, match="has to be even"):
            TextTransformer(9, dim=9, heads=3)


class TestEmptyTexts:
    @pytest.mark.parametrize("encoder", ABLE)
    def test_an_empty_text_is_there_and_none_is_missing(self, encoder):
        words = Words(min_count=1)
        words.fit(["one two three"])
        prepared = words(["", "one", None])
        data = torch.nn.utils.rnn.pad_sequence(prepared.data.split(prepared.lengths.tolist()), batch_first=True)
        encoded = encoder(words.size).eval()(Signal(data, torch.arange(1) < prepared.lengths[:, None]))
        assert encoded.present.tolist() == [True, True, False]
        assert encoded.pooled().isfinite().all()


VECTORS = {"red": [1.0, -2.0, 0.5], "fox": [0.25, 0.0, 4.0], "北京": [3.0, 1.0, 2.0], "unused": [9.0, 9.0, 9.0]}


def lines(end=""):
    return "".join(f"{word} {' '.join(map(str, row))}{end}\n" for word, row in VECTORS.items()).encode()


def binary(end=b"\n"):
    records = (word.encode() + b" " + struct.pack("<3f", *row) + end for word, row in VECTORS.items())
    return b"4 3\n" + b"".join(records)


FORMS = {
    "glove": lines(),
    "word2vec text": b"4 3\n" + lines(end=" "),
    "carriage returns": lines(end="\r") + b"\r\n",
    "tabs": lines().replace(b" ", b"\t"),
    "binary": binary(),
    "binary without line ends": binary(end=b""),
    "gzipped": gzip.compress(lines(), mtime=0),
    "gzipped binary": gzip.compress(binary(), mtime=0),
    "a word with spaces, a word twice": lines() + b". . . 7 7 7\nred 8 8 8\n",
}


@pytest.fixture
def vectors(tmp_path):
    def write(held, name="vectors.txt"):
        file = tmp_path / (f"{name}.gz" if held[:2] == b"\x1f\x8b" else name)
        file.write_bytes(held)
        return str(file)

    return write


TRAINING = ["red red fox", "a red house in 北京", None]


def fitted(file, **rules):
    words = Words(min_count=1, segment="jieba", vectors=file, **rules)
    words.fit(TRAINING)
    return words


class TestVectors:
    @pytest.mark.parametrize("form", FORMS)
    def test_are_those_of_the_file(self, form, vectors):
        words = fitted(vectors(FORMS[form]))
        table, number = words.parts()["vectors"], words.tokenizer.token_to_id
        assert table.shape == (words.size, 3)
        assert {w: table[number(w)].tolist() for w in ("red", "fox", "北京")} == {
            w: VECTORS[w] for w in ("red", "fox", "北京")
        }
        assert not table[0].any()
        assert words.said() == "50 % of 6 words have vectors (62 % of running words)"  # 3 of 6, 5 of 8

    def test_rare_words_run_without(self, vectors):
        words = Words(min_count=2, vectors=vectors(lines()))
        words.fit(["red red fox", "red"])
        assert words.said() == "100 % of 1 words have vectors (75 % of running words)"

    def test_words_that_the_file_lacks_get_others_as_long_each_time_the_same(self, vectors):
        file = vectors(b"".join(b"w%d %g %g\n" % (i, 0.1 * (-1) ** i, -0.1 * (-1) ** i) for i in range(50)))
        tables = []
        for _ in range(2):
            words = Words(min_count=1, vectors=file)
            words.fit([" ".join(f"w{i}" for i in range(50)), " ".join(f"x{i}" for i in range(400))])
            tables.append(words.parts()["vectors"])
            torch.rand(3)
        assert tables[0].equal(tables[1])
        others = tables[0][[words.tokenizer.token_to_id(f"x{i}") for i in range(400)]]
        assert 0.08 < others.std() < 0.12
        assert len(others.unique(dim=0)) == 400

    def test_fasttexts_own_form_makes_vectors_of_letters_too(self, tmp_path):
        """Unlike a word's absence from the file, which is told of, as with the other forms."""
        from gensim.models.fasttext import FastText, save_facebook_model

        model = FastText([["red", "fox"], ["red", "house"]], vector_size=4, min_count=1, bucket=50, epochs=1, workers=1)
        save_facebook_model(model, str(tmp_path / "model.bin"))
        words = Words(min_count=1, vectors=str(tmp_path / "model.bin"))
        words.fit(["red fox", "foxes"])
        table = words.parts()["vectors"]
        for word in ("red", "fox", "foxes"):
            assert table[words.tokenizer.token_to_id(word)].tolist() == model.wv[word].tolist()
        assert words.said() == "67 % of 3 words have vectors (67 % of running words)"
        held = (tmp_path / "model.bin").read_bytes()
        (tmp_path / "model.bin").write_bytes(held[: len(held) // 2])
        with pytest.raises(DataError, match="cannot be read"):
            words.fit(["red fox"])

    def test_says_what_to_install(self, vectors, monkeypatch):
        monkeypatch.setitem(sys.modules, "gensim.models.fasttext", None)
        with pytest.raises(ConfigError, match=r"pip install 'mmfuse\[vectors\]'"):
            fitted(vectors(struct.pack("<i", 793712314) + b"..."))

    def test_without_a_file_there_are_none(self):
        words = Words(min_count=1)
        words.fit(TRAINING)
        assert (words.parts(), words.said()) == ({}, "")

    @pytest.mark.parametrize("encoder", ABLE)
    def test_every_encoder_of_words_starts_from_them_and_changes_them_or_not(self, encoder, vectors):
        words = fitted(vectors(lines()))
        table = words.parts()["vectors"].clone()
        for learn in (True, False):
            made = encoder(words.size, learn=learn, **words.parts())
            assert made.embed.weight.equal(table)
            assert made.embed.weight.requires_grad is learn
            with torch.no_grad():
                made.embed.weight.add_(1.0)
            assert words.parts()["vectors"].equal(table)  # the next seed's start

    def test_a_run_needs_the_file_no_more(self, vectors, through_json, tmp_path):
        words = fitted(vectors(lines()))
        encoder = Bag(words.size, **words.parts()).eval()
        (tmp_path / "vectors.txt").unlink()
        other = through_json(words)
        assert other.said() == words.said()
        assert other.state() == words.state()
        again = Bag(other.size, **other.parts()).eval()
        signal = full(words(TRAINING).data[None])
        assert not again(signal).data.isfinite().any()  # nobody takes it for the run's
        again.load_state_dict(encoder.state_dict())
        assert again(signal).data.equal(encoder(signal).data)

    def test_a_run_of_before_there_were_vectors_is_restored(self):
        words = Words(min_count=1)
        words.fit(TRAINING)
        state = words.state()
        del state["vectors"]
        other = Words()
        other.restore(state)
        assert other.parts() == {}

    @pytest.mark.parametrize(
        ("held", "says"),
        [
            (lines() + b"house 1 2\n", "line 5: 2 numbers, where line 1 has 3"),
            (lines() + b"house 1 2 3 4\n", "line 5: 4 numbers, where line 1 has 3"),
            (lines() + b"house\n", "line 5: 0 numbers, where line 1 has 3"),
            (b"4 2\n" + lines(), "line 2: 3 numbers, where the header says 2"),
            (lines().replace(b"0.25", b"O.25"), "line 2: 'O.25', which is not a finite number"),
            (lines().replace(b"0.25", b"1e39"), "line 2: '1e39', which is not a finite number"),
            (lines().replace(b"0.25", b"nan"), "line 2: 'nan', which is not a finite number"),
            (b"5 3\n" + lines(), "line 5: the end after 4 words, where the header says 5"),
            (binary()[:-20], "word 4: the end, where its header says 4 words of 3 numbers"),
            (binary().replace(struct.pack("<f", 0.25), struct.pack("<f", float("inf"))), "word 2: inf, which is not"),
            (gzip.compress(lines(), mtime=0)[:-12], "cannot be read"),
            (b"", "line 1: nothing; the file is empty"),
            (b"red\n", "line 1: 0 numbers"),
            (b"PK\x03\x04 and so on", "is a zip archive"),
            (b"Red 1 2\nrouge 3 4\n", "none of the 6 words of the training texts, such as 'red'"),
        ],
    )
    def test_refuses_files_that_are_not_what_they_should_be(self, held, says, vectors):
        with pytest.raises(DataError) as error:
            fitted(vectors(held))
        assert says in str(error.value)
        assert "to go on" in str(error.value)
        assert len(str(error.value).splitlines()) <= 6

    def test_refuses_what_cannot_be(self, vectors):
        with pytest.raises(ConfigError, match="there is no such file"):
            fitted("nowhere.txt")
        with pytest.raises(ValueError, match="level=subword cuts them"):
            Words(vectors=vectors(lines()), level="subword")

    def test_the_user_is_told(self, vectors, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "rows.csv").write_text("t,y\n" + "red fox,1\ngreen fox,0\n" * 20)
        tables = ["dataset=table", "dataset.file=rows.csv", "dataset.modalities={t: {kind: text}}"]
        about = [*tables, "dataset.tasks={y: {kind: multiclass}}", "encoder.t=bag", "threads=1"]
        check = ["check", *about, f"encoder.t.prepare.vectors={vectors(lines())}"]
        main(check)
        said = " ".join(capsys.readouterr().out.split())
        assert re.search(r"t: 67 % of 3 words have vectors \((7[0-9]) % of running words\)", said)  # 75 over all rows
        vectors(b"red 1 2\n" + b"fox 2\n")
        assert main(check) == 3
        assert "line 2: 1 numbers, where line 1 has 2" in " ".join(capsys.readouterr().err.split())
