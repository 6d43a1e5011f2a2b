"""What models are explained by: hand-made models whose explanation is known, and other libraries' numbers."""

import base64
from io import BytesIO

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mmfuse.contribution.merged import merged, spread
from mmfuse.encoders.bag import Bag
from mmfuse.encoders.identity import Identity
from mmfuse.encoders.step_transformer import StepTransformer
from mmfuse.explanation.attention import attended, of_attention
from mmfuse.explanation.gradients import shares
from mmfuse.explanation.parts import parts, words
from mmfuse.explanation.shown import shown
from mmfuse.explanation.space import plane
from mmfuse.explanation.weights import weights
from mmfuse.fusion.attention import AttentionFusion
from mmfuse.fusion.attention_steps import AttentionStepsFusion
from mmfuse.fusion.blocks import Attention
from mmfuse.fusion.concat import ConcatFusion
from mmfuse.fusion.cross_attention import CrossAttentionFusion
from mmfuse.fusion.early_tokens import EarlyTokensFusion
from mmfuse.fusion.gated import GatedFusion
from mmfuse.fusion.mean import MeanFusion
from mmfuse.fusion.mult import MultFusion
from mmfuse.fusion.perceiver import PerceiverFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.models.late import LateFusion
from mmfuse.models.task import TaskFusion
from mmfuse.prepare.words import Words
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.regression import Regression
from mmfuse.types import Model, Read, Signal

YES_NO = {"t": Multiclass(["no", "yes"])}


class Linear(Model):
    """One number: two features of `a` and one of `b` times weights."""

    def __init__(self, a: list[float], b: float):
        super().__init__({"a": Identity(2), "b": Identity(1)})
        self.a, self.b = torch.nn.Parameter(torch.tensor(a)), torch.nn.Parameter(torch.tensor([b]))

    def read(self, encoded):
        return Read({"t": (encoded["a"].pooled() @ self.a + encoded["b"].pooled() @ self.b)[:, None]})


def vectors(**rows: list) -> dict[str, Signal]:
    """None where a row lacks the modality."""
    found = {}
    for m, each in rows.items():
        width = len(next(row for row in each if row is not None))
        data = torch.tensor([[0.0] * width if row is None else row for row in each])
        found[m] = Signal.vector(data, torch.tensor([row is not None for row in each]))
    return found


def test_gradient_times_input_of_a_linear_model_is_weight_times_input():
    signals = vectors(a=[[1.0, -2.0], [0.0, 1.0], None], b=[[3.0], None, [1.0]])
    found = shares(Linear([2.0, 0.5], -1.0), signals, {"t": Regression()})
    # |2 * 1| + |.5 * -2| = 3 beside |-1 * 3| = 3; then only a, then only b
    assert found.each["t"].tolist() == pytest.approx(np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]))
    assert found.of == {"a": "input", "b": "input"}


def test_a_modality_that_is_not_used_has_no_gradient():
    found = shares(Linear([0.0, 0.0], -1.0), vectors(a=[[1.0, -2.0]], b=[[3.0]]), {"t": Regression()})
    assert found.each["t"].tolist() == [[0.0, 1.0]]


def test_gradients_are_captums():
    attr = pytest.importorskip("captum.attr")
    model = FeatureFusion({"a": Identity(3), "b": Identity(5)}, YES_NO, ConcatFusion).eval()
    a, b = torch.randn(6, 3), torch.randn(6, 5)
    present = torch.ones(6, dtype=torch.bool)

    def asked(a, b):
        return model.predict({"a": Signal.vector(a, present), "b": Signal.vector(b, present)})["t"]

    given = attr.InputXGradient(asked).attribute((a.requires_grad_(), b.requires_grad_()), target=asked(a, b).argmax(1))
    sums = torch.stack([each.detach().abs().sum(1) for each in given], dim=1)
    signals = {"a": Signal.vector(a.detach(), present), "b": Signal.vector(b.detach(), present)}
    found = shares(model, signals, YES_NO).each["t"]
    assert torch.allclose(found.float(), sums / sums.sum(1, keepdim=True), atol=1e-5)


def test_word_numbers_are_differentiated_by_what_is_made_of_them():
    model = LateFusion({"text": Bag(5, dim=4), "v": Identity(2)}, YES_NO, MeanFusion).eval()
    text = Signal(torch.tensor([[1, 2, 0], [3, 0, 0]]), torch.tensor([[True, True, False], [True, False, False]]))
    found = shares(model, {"text": text, "v": Signal.vector(torch.randn(2, 2), torch.tensor([True, True]))}, YES_NO)
    assert found.of == {"text": "encoding", "v": "input"}
    assert (found.each["t"] > 0).all()


def test_pixels_are_differentiated_by_what_they_are_scaled_to():
    class Bright(Model):
        def __init__(self):
            super().__init__({"image": Identity(1), "v": Identity(1)})
            self.one = torch.nn.Parameter(torch.ones(1))

        def read(self, encoded):
            return Read({"t": encoded["image"].data.flatten(1).sum(1, keepdim=True) + encoded["v"].pooled()})

    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 1, 2)  # -1 and 1
    image = Signal(pixels, torch.ones(1, 1, dtype=torch.bool))
    found = shares(Bright(), {"image": image, **vectors(v=[[2.0]])}, {"t": Regression()})
    assert found.each["t"].tolist() == [[0.5, 0.5]]


def test_gates_that_are_half_open_hear_all_alike():
    signals = vectors(a=[[1.0, 2.0], None, [1.0, 1.0]], b=[[1.0], [1.0], [5.0]], c=[[1.0], [2.0], None])
    for names in ("ab", "abc"):
        model = FeatureFusion({m: Identity(2 if m == "a" else 1) for m in names}, YES_NO, GatedFusion).eval()
        torch.nn.init.zeros_(model.fusion.gate.weight)
        found = weights(model, {m: signals[m] for m in names})[""]
        even = [[1 / len(names)] * len(names), [0, 1] if names == "ab" else [0, 0.5, 0.5]]
        assert found[:2].tolist() == pytest.approx(np.array(even))
    late = LateFusion({m: Identity(2 if m == "a" else 1) for m in "ab"}, YES_NO, GatedFusion).eval()
    assert list(weights(late, {m: signals[m] for m in "ab"})) == ["t"]


def test_weights_are_those_that_a_fusion_hands_out():
    model = FeatureFusion({"a": Identity(2), "b": Identity(2)}, YES_NO, AttentionFusion).eval()
    signals = vectors(a=[[1.0, 2.0], None], b=[[0.5, 1.0], [1.0, 1.0]])
    assert torch.equal(weights(model, signals)[""], model.fusion.fuse(signals).weights)
    assert weights(FeatureFusion({"a": Identity(2)}, YES_NO, ConcatFusion), {"a": signals["a"]}) == {}


def test_weights_of_tasks_are_not_told_as_weights_of_modalities():
    tasks = {"t": YES_NO["t"], "u": Regression()}
    model = TaskFusion({"a": Identity(2), "b": Identity(2)}, tasks, GatedFusion).eval()
    assert weights(model, vectors(a=[[1.0, 2.0]], b=[[0.5, 1.0]])) == {}


def test_attention_is_what_values_are_read_by():
    """With one head, the weights times the values are what comes out."""
    attention = Attention(6, heads=1).eval()
    asking, source = torch.randn(3, 2, 6), torch.randn(3, 4, 6)
    seen = torch.tensor([[True, True, False, True], [True, False, False, False], [False] * 4])[:, None]
    found = of_attention(attention, {attention: (asking, source, seen)})
    with torch.no_grad():
        wanted = attention(asking, source, seen)
        read = attention.out(found @ attention.value(source)) * seen.any(2, keepdim=True)
    assert torch.allclose(read, wanted, atol=1e-6)
    assert torch.equal(found == 0, ~seen.expand(-1, 2, -1))


def test_an_encoder_that_asks_for_nothing_attends_evenly(sequences):
    model = FeatureFusion({"a": StepTransformer(3, dim=8), "b": Identity(2)}, YES_NO, ConcatFusion).eval()
    last = model.encoders["a"].blocks.blocks[-1].self_attn
    torch.nn.init.zeros_(last.in_proj_weight[:8])
    torch.nn.init.zeros_(last.in_proj_bias[:8])
    found = attended(model, sequences({"a": 3, "b": 2}, {"a": [4, 2, 0], "b": [1, 1, 1]}))
    assert list(found) == ["a"]  # who is concatenated is not attended to
    even = [[0.25] * 4, [0.5, 0.5, 0, 0], [0] * 4]
    assert found["a"].weights.tolist() == pytest.approx(np.array(even), abs=1e-6)


@pytest.mark.parametrize(
    "fusion", [AttentionStepsFusion, EarlyTokensFusion, PerceiverFusion, CrossAttentionFusion, MultFusion]
)
def test_fusions_attend_to_real_steps_only(fusion, sequences):
    signals = sequences({"a": 4, "b": 3, "c": 4}, {"a": [5, 2, 3], "b": [1, 4, 0], "c": [2, 2, 0]})
    model = FeatureFusion({m: Identity(s.data.shape[2]) for m, s in signals.items()}, YES_NO, fusion).eval()
    found = attended(model, signals)
    assert list(found) == ["a", "b", "c"]
    total = torch.stack([each.weights.sum(1) for each in found.values()], dim=1)  # (B, M)
    for m, (each, mask) in found.items():
        assert torch.equal(mask, signals[m].mask)
        assert torch.equal(each[~mask], torch.zeros(int((~mask).sum())))
    if fusion in (AttentionStepsFusion, PerceiverFusion):
        assert torch.allclose(total.sum(1), torch.ones(3), atol=1e-5)
    if fusion is AttentionStepsFusion:
        assert torch.allclose(total, model.fusion.fuse(signals).weights, atol=1e-6)
    if fusion is EarlyTokensFusion:
        assert (total.sum(1) < 1).all()  # the token reads itself, too
    if fusion is MultFusion:
        assert torch.allclose(total[:2], torch.ones(2, 3), atol=1e-5)  # each is read by itself
    if fusion is CrossAttentionFusion:  # of three, each reads two at once: what they read adds up to 3, each read by 2
        assert torch.allclose(2 * total[:2].sum(1), torch.full((2,), 3.0), atol=1e-5)
        assert total[2].tolist() == [0.0, 0.0, 0.0]  # alone, it is read by nobody


def test_a_map_keeps_groups_together_and_is_that_of_its_seed(random):
    group = np.arange(40) % 4
    data = 20 * np.eye(4)[group] @ random.normal(size=(4, 6)) + random.normal(size=(40, 6))
    found = plane(data, seed=3)
    distances = np.linalg.norm(found[:, None] - found[None], axis=2) + np.diag(np.full(40, np.inf))
    assert (group[distances.argmin(1)] == group).all()
    assert np.array_equal(found, plane(data, seed=3))


def test_few_points_are_turned_and_not_bent(random):
    data = np.hstack([random.normal(size=(6, 2)), np.zeros((6, 3))])
    found = plane(data)
    for points in (0, 3):
        assert np.linalg.norm(found - found[points], axis=1) == pytest.approx(
            np.linalg.norm(data - data[points], axis=1)
        )
    assert np.array_equal(plane(np.ones((12, 3))), np.zeros((12, 2)))


def content(src: str) -> BytesIO:
    return BytesIO(base64.b64decode(src.partition(",")[2]))


def test_pictures_fit_and_small_ones_can_be_seen(random):
    large = shown((random.random((400, 600, 3)) * 255).astype(np.uint8), "image")
    assert Image.open(content(large["src"])).size == (160, 107)
    small = np.zeros((8, 4), np.uint8)
    small[:4] = 255
    image = np.asarray(Image.open(content(shown(small, "image")["src"])))
    assert image.shape[:2] == (64, 32)
    assert image[:28].min() > 200 > 50 > image[36:].max()


def test_sounds_are_short_and_low(tmp_path):
    wave = np.sin(2 * np.pi * 440 * np.arange(5 * 44100) / 44100).astype(np.float32) * 0.5
    soundfile.write(tmp_path / "a.wav", wave, 44100)
    found = shown(tmp_path / "a.wav", "audio", budget=200_000)
    data, rate = soundfile.read(content(found["src"]))
    assert (rate, len(data), found["seconds"]) == (16000, 48000, 3.0)
    loudest = np.abs(np.fft.rfft(data)).argmax() * rate / len(data)
    assert loudest == pytest.approx(440, abs=1)
    tight = shown(tmp_path / "a.wav", "audio", budget=20_000)
    assert len(tight["src"]) < 20_100
    assert soundfile.info(content(tight["src"])).samplerate == 8000


def test_other_kinds_are_shown(tmp_path):
    film = np.zeros((5, 70, 70), np.uint8)
    film[2] = 255
    assert np.asarray(Image.open(content(shown(film, "video")["src"]))).min() > 250
    assert shown(np.arange(30.0), "vector")["values"] == list(range(20))
    assert shown([[1.0, 2.0], [3.0, 4.0]], "sequence") == {"kind": "vector", "values": [2.0, 3.0], "steps": 2}
    assert shown(["a", "b"], "text") == {"kind": "text", "text": "a b"}
    assert shown({"age": 3, "town": None}, "tabular")["text"] == "age: 3, town: None"
    assert shown(None, "audio") == {"kind": "missing"}
    assert shown(tmp_path / "none.png", "image")["kind"] == "missing"


def test_words_are_those_of_the_text():
    preparation = Words(min_count=1)
    preparation.fit(["a Film of war", "of peace"])
    assert words("A film, unheard OF", preparation) == ["A", "film", ",", "unheard", "OF"]
    assert parts("text", "A film", preparation, 2, 2, ()) == ("words", ["A", "film"], None)
    assert parts("text", "A film", preparation, 2, 5, ()).parts is None
    assert parts("video", None, preparation, 4, 4, (1, 8, 8)).kind == "frames"


def test_the_spread_is_that_of_all_values():
    draws = np.array([[1.0, 3.0, 4.0], [5.0, 7.0, 1.0]])
    found = spread([{"mean": float(d.mean()), "std": float(d.std(ddof=1))} for d in draws], 3)
    assert found == pytest.approx({"mean": draws.mean(), "std": draws.std(ddof=1)})
    none = float("nan")
    assert spread([{"mean": 1.0, "std": none}, {"mean": 2.0, "std": none}], 3)["std"] == pytest.approx(0.5**0.5)


def test_merging_one_is_that_one():
    assert merged([{"seed": 0, "tasks": {}}]) == {"seed": 0, "tasks": {}}
