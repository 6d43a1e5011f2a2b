"""Models of rows whose steps are labelled: what each step hears, their equations in numpy, and that padding is none."""

import numpy as np
import pytest
import torch

from mmfuse.contextual import Contextual
from mmfuse.encoders.cat_lstm import CatLSTM
from mmfuse.encoders.context import Context
from mmfuse.encoders.identity import Identity
from mmfuse.errors import DataError
from mmfuse.fusion.catf import CatfFusion
from mmfuse.fusion.context import ContextFusion
from mmfuse.fusion.hierarchical import HierarchicalFusion
from mmfuse.fusion.mmmu_ba import MmmuBaFusion
from mmfuse.models.feature import FeatureFusion
from mmfuse.objectives.unimodal_heads import UnimodalHeads
from mmfuse.step_attention import StepAttention
from mmfuse.tasks.multiclass import Multiclass
from mmfuse.tasks.tokens import Tokens
from mmfuse.types import Batch, Fused, Outputs, Signal

DIMS = {"text": 5, "audio": 4, "video": 3}
LENGTHS = (4, 2, 3)
FUSIONS = {
    "context": lambda dims: ContextFusion(dims, dim=6, hidden=5),
    "catf": lambda dims: CatfFusion(dims, dim=6, longest=3),
    "mmmu_ba": lambda dims: MmmuBaFusion(dims, units=6),
    "hfusion": lambda dims: HierarchicalFusion(dims, dim=6),
    "chfusion": lambda dims: HierarchicalFusion(dims, dim=6, cell="gru", hidden=5, bidirectional=True),
}


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def array(parameter):
    return parameter.detach().numpy()


def affine(layer, x):
    return x @ array(layer.weight).T + array(layer.bias)


@pytest.fixture(params=FUSIONS)
def fusion(request):
    return FUSIONS[request.param](DIMS).eval()


@pytest.fixture
def videos(sequences):
    """Three rows of 4, 2 and 3 steps."""
    return sequences(DIMS, {m: list(LENGTHS) for m in DIMS})


@pytest.fixture
def one(sequences):
    """One row of four steps, without padding; and its arrays."""
    signals = sequences(DIMS, {m: [4] for m in DIMS})
    return signals, {m: s.data[0].numpy() for m, s in signals.items()}


def heard(module, size, steps=5, at=2):
    """(T,) which steps change what comes out at one of them."""
    data = torch.randn(20, steps, size, requires_grad=True)
    mask = torch.ones(20, steps, dtype=torch.bool)
    said = (
        module.eval()(data, mask)
        if isinstance(module, Contextual | StepAttention)
        else module.eval()(Signal(data, mask)).data
    )
    said[:, at].square().sum().backward()
    return (data.grad.abs().sum(dim=(0, 2)) > 0).tolist()


class TestContext:
    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    def test_both_directions_hear_later_steps_and_one_does_not(self, cell):
        assert heard(Context(3, hidden=4, cell=cell, bidirectional=True), 3) == [True] * 5
        assert heard(Context(3, hidden=4, cell=cell, bidirectional=False), 3) == [True, True, True, False, False]

    @pytest.mark.parametrize("bidirectional", [True, False])
    def test_is_torchs_lstm_on_each_row_alone_under_a_dense_layer(self, bidirectional):
        encoder = Context(5, dim=3, hidden=4, bidirectional=bidirectional, activation="tanh").eval()
        mask = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
        data = torch.randn(3, 4, 5)
        found = encoder(Signal(data, mask)).data
        for row, length in enumerate(LENGTHS):
            alone, _ = encoder.context.rnn(data[[row], :length])
            dense = encoder.context.dense[0]
            torch.testing.assert_close(found[[row], :length], torch.tanh(dense(alone)))

    def test_without_a_dense_layer_the_state_comes_out(self):
        encoder = Context(5, dim=None, hidden=4).eval()
        data = torch.randn(2, 3, 5)
        found = encoder(Signal(data, torch.ones(2, 3, dtype=torch.bool)))
        assert encoder.dim == 8
        torch.testing.assert_close(found.data, encoder.context.rnn(data)[0])

    @pytest.mark.parametrize(
        ("keys", "where"),
        [({"dropout_in": 0.5}, "rnn"), ({"dropout": 0.5}, "dense"), ({"dropout_out": 0.5}, "out")],
    )
    def test_hides_in_training_only(self, keys, where):
        encoder = Context(5, dim=64, hidden=32, **{"dropout": 0.0} | keys)
        signal = Signal(torch.randn(2, 3, 5), torch.ones(2, 3, dtype=torch.bool))
        assert not torch.equal(encoder(signal).data, encoder(signal).data), where
        assert torch.equal(encoder.eval()(signal).data, encoder(signal).data)


class TestStepAttention:
    def test_is_its_equations_in_numpy(self):
        attention, h = StepAttention(3, longest=4), np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
        found = array(attention(torch.tensor(h)[None], torch.ones(1, 4, dtype=torch.bool)))[0]
        project, score, read, own = (array(p) for p in attention.parameters())
        for t in range(4):
            weights = softmax(score[t] @ np.tanh(project[t] @ h.T))  # (T,)
            expected = np.tanh(read[t] @ (h.T @ weights) + own[t] @ h[t])
            np.testing.assert_allclose(found[t], expected, atol=1e-6)

    def test_places_beyond_the_longest_are_as_the_last(self):
        attention = StepAttention(3, longest=2)
        same = torch.randn(1, 1, 3).expand(1, 4, 3)
        found = attention(same, torch.ones(1, 4, dtype=torch.bool))[0]
        torch.testing.assert_close(found[2:], found[[1, 1]])
        assert not torch.allclose(found[0], found[1])

    def test_hears_all_steps(self):
        assert heard(CatLSTM(3, dim=4, longest=5), 3) == [True] * 5

    def test_refuses_no_place(self):
        with pytest.raises(ValueError, match="longest=0"):
            StepAttention(3, longest=0)


class TestSteps:
    def test_a_step_comes_out_for_each(self, fusion, videos):
        fused = fusion(videos)
        assert fused.data.shape == (3, 4, fusion.dim)
        assert fused.mask.sum(dim=1).tolist() == list(LENGTHS)

    def test_each_row_is_what_it_is_without_padding(self, fusion, videos):
        found = fusion(videos)
        for row, length in enumerate(LENGTHS):
            alone = {m: Signal(s.data[[row], :length], s.mask[[row], :length]) for m, s in videos.items()}
            torch.testing.assert_close(found.data[[row], :length], fusion(alone).data, atol=1e-6, rtol=1e-5)

    def test_padded_steps_may_stand_in_any_order(self, fusion, videos):
        order = torch.tensor([0, 1, 3, 2])  # of the row of two steps the padding, which holds values here
        filled = {m: Signal(s.data.clone().normal_(), s.mask) for m, s in videos.items()}
        row = {m: Signal(s.data[[1]], s.mask[[1]]) for m, s in filled.items()}
        turned = {m: Signal(s.data[:, order], s.mask[:, order]) for m, s in row.items()}
        torch.testing.assert_close(fusion(turned).data[:, :2], fusion(row).data[:, :2])

    def test_unequal_numbers_of_steps_are_refused(self, fusion, sequences):
        with pytest.raises(DataError, match="differ: text 3, audio 2, video 3"):
            fusion(sequences(DIMS, {"text": [3], "audio": [2], "video": [3]}))


def test_context_is_one_over_what_modalities_say_side_by_side(videos):
    fusion = ContextFusion(DIMS, dim=6, hidden=5).eval()
    mask = videos["text"].mask
    joined = torch.cat([s.data for s in videos.values()], dim=2)
    torch.testing.assert_close(fusion(videos).data, fusion.context(joined, mask))


def test_mmmu_ba_is_its_equations_in_numpy(one):
    signals, x = one
    fusion = MmmuBaFusion(DIMS, units=6).eval()
    own = {m: np.maximum(affine(layer, x[m]), 0) for m, layer in fusion.space.maps.items()}  # (4, 6) each
    parts = []
    for a, b in (("text", "audio"), ("text", "video"), ("audio", "video")):
        for here, there in ((a, b), (b, a)):
            scores = softmax(own[here] @ own[there].T)  # (4, 4)
            parts.append((scores @ own[there]) * own[here])
    expected = np.concatenate([*parts, *own.values()], axis=1)
    assert fusion.dim == expected.shape[1] == 6 * 9
    np.testing.assert_allclose(array(fusion(signals).data)[0], expected, atol=1e-5)


class TestHierarchical:
    @pytest.mark.parametrize("modalities", [("text", "audio"), ("text", "audio", "video")])
    def test_is_its_equations_in_numpy(self, one, modalities):
        signals, x = one
        dims = {m: DIMS[m] for m in modalities}
        fusion = HierarchicalFusion(dims, dim=6).eval()
        g = [np.tanh(affine(fusion.space.maps[m], x[m])) for m in modalities]
        two = [(0, 1)] if len(g) == 2 else [(0, 1), (0, 2), (1, 2)]
        pairs = []
        for each, (m, n) in zip(fusion.pairs, two, strict=True):
            u, v = array(each.weight)
            pairs.append(np.tanh(u * g[m] + v * g[n] + array(each.bias)))
        expected = pairs[0]
        if len(pairs) > 1:
            w = array(fusion.whole.weight)
            expected = np.tanh(w[0] * pairs[0] + w[1] * pairs[1] + w[2] * pairs[2] + array(fusion.whole.bias))
        found = fusion({m: signals[m] for m in modalities}).data
        np.testing.assert_allclose(array(found)[0], expected, atol=1e-6)

    def test_a_cell_puts_a_network_over_the_steps_of_each_pair_and_of_all(self, one):
        signals, _ = one
        fusion = HierarchicalFusion(DIMS, dim=6, cell="gru", hidden=5).eval()
        plain = HierarchicalFusion(DIMS, dim=6).eval()
        plain.load_state_dict({k: v for k, v in fusion.state_dict().items() if not k.startswith("contexts")})
        seen = {}
        for k, pair in enumerate(plain.pairs):
            pair.register_forward_hook(lambda module, given, said, k=k: seen.update({k: said}))
        plain(signals)
        found = [fusion.contexts[k](seen[k].data, seen[k].mask) for k in range(3)]
        whole = fusion.whole([Signal(data, seen[0].mask) for data in found])
        torch.testing.assert_close(fusion(signals).data, fusion.contexts[3](whole.data, whole.mask))

    @pytest.mark.parametrize(("cell", "gates"), [("gru", 3), ("lstm", 4)])
    def test_has_as_many_parameters_as_it_says(self, cell, gates):
        fusion = HierarchicalFusion(DIMS, dim=6, cell=cell, hidden=5)
        of_networks = 4 * (gates * 5 * (6 + 5 + 2) + (5 + 1) * 6)
        assert sum(p.numel() for p in fusion.parameters()) == (6 + 5 + 4) * 6 + 3 * 3 * 6 + 4 * 6 + of_networks


class TestCatf:
    def test_is_its_equations_in_numpy(self, one):
        signals, x = one
        fusion = CatfFusion(DIMS, dim=6, longest=4).eval()
        b = np.stack([np.tanh(affine(fusion.space.maps[m], x[m])) for m in DIMS], axis=1)  # (4, M, 6)
        first, last = fusion.score[0], fusion.score[2]
        weights = softmax(np.tanh(affine(first, b)) @ array(last.weight)[0])  # (4, M)
        mixed = torch.tensor(np.einsum("tm,tmd->td", weights, b), dtype=torch.float32)
        expected = fusion.attend(fusion.rnn(mixed[None])[0], torch.ones(1, 4, dtype=torch.bool))
        fused: Fused = fusion.fuse(signals)
        torch.testing.assert_close(fused.signal.data, expected, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(array(fused.weights)[0], weights.mean(axis=0), atol=1e-6)


class TestLabels:
    TASK = Tokens(["no", "yes"], of="text")

    def model(self):
        dims = {m: Identity(size) for m, size in DIMS.items()}
        return FeatureFusion(dims, {"mood": self.TASK}, lambda dims: HierarchicalFusion(dims, dim=6)).eval()

    def test_each_fused_step_is_read_by_itself(self, videos):
        model = self.model()
        found = model(videos).predictions["mood"]
        head = model.heads["mood"].linear
        fused = model.fusion(videos).data
        for row, length in enumerate(LENGTHS):
            torch.testing.assert_close(found[row, :length], head(fused[row, :length]))

    def test_padding_never_counts(self):
        """Two videos of 3 and 1 utterances, one of them unlabelled; by hand, 2 of 3 labelled ones are right."""
        said = torch.tensor([[[0.0, 2.0], [3.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [9.0, -9.0], [9.0, -9.0]]])
        target = torch.tensor([[1, 1, -1], [1, -1, -1]])
        units = self.TASK.units(said, target)
        assert units.place.tolist() == [0, 0, 1]
        assert self.TASK.score(self.TASK.answer(units.prediction), units.target.numpy())["accuracy"] == 2 / 3
        each = [np.log1p(np.exp(-2.0)), np.log1p(np.exp(3.0)), np.log1p(np.exp(-1.0))]
        assert self.TASK.loss(said, target).item() == pytest.approx(np.mean(each), rel=1e-6)

    def test_own_heads_learn_every_label_of_what_is_there(self, videos):
        """ln 2 a step where heads say nothing, whatever stands in padding; nothing of a modality that is absent."""
        objective = UnimodalHeads(DIMS, {"mood": self.TASK, "kind": Multiclass("abc")}, weight=0.5)
        for parameter in objective.parameters():
            torch.nn.init.zeros_(parameter)
        encoded = dict(videos)
        encoded["audio"] = Signal(videos["audio"].data, torch.zeros_like(videos["audio"].mask))
        targets = {
            "mood": torch.tensor([[0, 1, 0, 1], [1, 0, -1, -1], [1, 1, 0, -1]]),
            "kind": torch.tensor([0, 2, -1]),
        }
        outputs = Outputs({}, encoded, lambda signals: {})
        losses = objective(outputs, Batch(videos, targets, torch.arange(3)))
        assert tuple(losses) == objective.names
        expected = {"text": (np.log(2), np.log(3)), "audio": (0.0, 0.0), "video": (np.log(2), np.log(3))}
        for m, (mood, kind) in expected.items():
            assert losses[f"heads/{m}-mood"].item() == pytest.approx(0.5 * mood)
            assert losses[f"heads/{m}-kind"].item() == pytest.approx(0.5 * kind)
