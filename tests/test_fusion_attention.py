"""Fusions that attend: against their equations worked out in numpy, or another library's layers of the same weights."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch

from mmfuse.errors import DataError
from mmfuse.fusion.aligned import aligned
from mmfuse.fusion.attention import AttentionFusion
from mmfuse.fusion.attention_steps import AttentionStepsFusion
from mmfuse.fusion.blocks import Attention, CrossBlock, SelfBlock
from mmfuse.fusion.bottleneck import BottleneckFusion
from mmfuse.fusion.cross_attention import CrossAttentionFusion
from mmfuse.fusion.early import EarlyFusion
from mmfuse.fusion.early_tokens import EarlyTokensFusion
from mmfuse.fusion.mfn import MfnFusion
from mmfuse.fusion.mult import MultFusion
from mmfuse.fusion.perceiver import PerceiverFusion
from mmfuse.types import Signal

DIMS = {"text": 6, "image": 5, "audio": 4}
LENGTHS = {"text": [5, 2, 1, 3, 0], "image": [4, 4, 1, 0, 0], "audio": [1, 3, 1, 2, 0]}


@pytest.fixture
def signals(sequences):
    """Full, padded and one-step rows; one without image, one without anything. In float64."""
    return {m: Signal(s.data.double(), s.mask) for m, s in sequences(DIMS, LENGTHS).items()}


def exact(fusion):
    return fusion.double().eval()


def affine(layer, x):
    bias = 0.0 if layer.bias is None else layer.bias.detach().numpy()
    return x @ layer.weight.detach().numpy().T + bias


def softmax(scores):
    shares = np.exp(scores - scores.max())
    return shares / shares.sum()


def rows_of(signals, modality):
    data, mask = signals[modality]
    return [data[i][mask[i]].numpy() for i in range(len(data))]  # each (T_i, D)


def changed(signals, modality):
    """The same with other content in one modality."""
    data, mask = signals[modality]
    return signals | {modality: Signal(torch.randn_like(data), mask)}


def spoken(fusion, signals):
    """By pair of target and source: what the source says to the target's steps."""
    inputs, found = {m: fusion.mapped(m, s) for m, s in signals.items()}, {}
    for t, streams in fusion.streams.items():
        for s, stream in streams.items():
            found[t, s] = stream(inputs[t].data, inputs[s].data, inputs[s].mask.unsqueeze(1))
    return found


def renamed(fusion, other):
    """The parameters of one fusion in another that was made with the modalities in another order."""
    other.load_state_dict(fusion.state_dict())
    return other


def turned():
    return dict(reversed(DIMS.items()))


class TestBlocks:
    @pytest.fixture
    def x(self):
        return torch.randn(3, 5, 8, dtype=torch.float64), torch.tensor([5, 2, 1])[:, None] > torch.arange(5)

    @staticmethod
    def copied(attention, other):
        """The weights of ours into torch's own, whose keys have a bias: any, for it changes nothing."""
        q, k, v = attention.query, attention.key, attention.value
        other.in_proj_weight.data = torch.cat([q.weight, k.weight, v.weight])
        other.in_proj_bias.data = torch.cat([q.bias, torch.full_like(q.bias, 0.7), v.bias])
        other.out_proj.load_state_dict(attention.out.state_dict())

    def test_attention_is_torchs(self, x):
        (data, mask), source = x, torch.randn(3, 5, 8, dtype=torch.float64)
        ours, theirs = exact(Attention(8, 2)), exact(torch.nn.MultiheadAttention(8, 2, batch_first=True))
        self.copied(ours, theirs)
        expected, _ = theirs(data, source, source, key_padding_mask=~mask)
        torch.testing.assert_close(ours(data, source, mask.unsqueeze(1)), expected)

    def test_block_is_torchs(self, x):
        data, mask = x
        ours = exact(SelfBlock(8, 2, 12))
        layer = torch.nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True, norm_first=True)
        theirs = exact(layer)
        self.copied(ours.attend, theirs.self_attn)
        pairs = {theirs.norm1: ours.norm, theirs.norm2: ours.feed[0], theirs.linear1: ours.feed[1]}
        for to, of in (pairs | {theirs.linear2: ours.feed[4]}).items():
            to.load_state_dict(of.state_dict())
        for norm in (ours.norm, theirs.norm1):
            torch.nn.init.constant_(norm.bias, 0.3)
        expected = theirs(data, src_key_padding_mask=~mask)
        torch.testing.assert_close(ours(data, mask.unsqueeze(1))[mask], expected[mask])

    def test_cross_block_is_attention_to_a_source_then_feedforward(self, x):
        (data, mask), source = x, torch.randn(3, 5, 8, dtype=torch.float64)
        block = exact(CrossBlock(8, 2, 12))
        theirs = exact(torch.nn.MultiheadAttention(8, 2, batch_first=True))
        self.copied(block.attend, theirs)

        def normal(z):
            return (z - z.mean(-1, keepdim=True)) / (z.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()

        after = data + theirs(normal(data), normal(source), normal(source), key_padding_mask=~mask)[0]
        units = torch.nn.functional.gelu(block.feed[1](normal(after)))
        torch.testing.assert_close(block(data, source, mask.unsqueeze(1)), after + block.feed[4](units))

    def test_to_see_nothing_is_zeros(self, x):
        data, _ = x
        attention = exact(Attention(8, 2))
        seen = torch.ones(3, 5, 5, dtype=torch.bool)
        seen[1] = False
        seen[2, 3] = False
        read = attention(data.requires_grad_(), data, seen)
        assert not read[1].any()
        assert not read[2, 3].any()
        assert read[2, 4].all()
        read.sum().backward()
        assert data.grad.isfinite().all()

    def test_refuses_heads_that_do_not_share_evenly(self):
        with pytest.raises(ValueError, match="dim=8: heads=3 share it"):
            Attention(8, 3)


class TestAttention:
    @pytest.mark.parametrize("score", ["shared", "concatenated"])
    def test_is_a_weighted_mean_of_those_present(self, signals, score):
        fusion = exact(AttentionFusion(DIMS, dim=7, score=score, hidden=3))
        fused = fusion.fuse(signals)
        pooled = {m: [x.mean(axis=0) if len(x) else np.zeros(DIMS[m]) for x in rows_of(signals, m)] for m in DIMS}
        for row in range(4):
            there = [i for i, m in enumerate(DIMS) if LENGTHS[m][row]]
            h = [affine(fusion.space.maps[m], pooled[m][row]) for m in DIMS]
            if score == "shared":
                scores = np.array([np.tanh(affine(fusion.score[0], x)) @ fusion.score[2].weight[0].tolist() for x in h])
            else:
                scores = affine(fusion.score, np.concatenate([pooled[m][row] for m in DIMS]))
            weights = np.zeros(3)
            weights[there] = softmax(scores[there])
            np.testing.assert_allclose(fused.weights[row].detach(), weights, atol=1e-12)
            np.testing.assert_allclose(fused.signal.data[row, 0].detach(), weights @ np.array(h), atol=1e-12)
        assert not fused.weights[4].any()
        assert not fused.signal.pooled()[4].any()

    def test_a_shared_score_does_not_mind_the_order_of_modalities(self, sequences):
        dims = dict.fromkeys("abc", 4)
        signals = sequences(dims, {"a": [3, 1], "b": [2, 2], "c": [1, 0]})
        fusion = AttentionFusion(dims)
        turned = {"a": signals["c"], "b": signals["a"], "c": signals["b"]}
        fused, other = fusion.fuse(signals), fusion.fuse(turned)
        torch.testing.assert_close(other.signal.data, fused.signal.data)
        torch.testing.assert_close(other.weights, fused.weights[:, [2, 0, 1]])

    def test_a_concatenated_score_of_zeros_is_the_mean(self, signals):
        fusion = exact(AttentionFusion(DIMS, dim=7, score="concatenated"))
        for parameter in fusion.score.parameters():
            torch.nn.init.zeros_(parameter)
        expected = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1.5, 0, 1.5], [0, 0, 0]], dtype=torch.float64) / 3
        torch.testing.assert_close(fusion.fuse(signals).weights, expected)


class TestAttentionSteps:
    def test_is_a_weighted_mean_of_all_real_steps(self, signals):
        fusion = exact(AttentionStepsFusion(DIMS, dim=7, hidden=3))
        fused = fusion.fuse(signals)
        for row in range(4):
            h = [affine(fusion.space.maps[m], rows_of(signals, m)[row]) for m in DIMS]
            steps = np.concatenate(h)
            weights = softmax(np.tanh(affine(fusion.score[0], steps)) @ fusion.score[2].weight[0].tolist())
            np.testing.assert_allclose(fused.signal.data[row, 0].detach(), weights @ steps, atol=1e-12)
            of = np.repeat(range(3), [len(x) for x in h])
            np.testing.assert_allclose(fused.weights[row].detach(), np.bincount(of, weights, 3), atol=1e-12)
        assert not fused.weights[4].any()

    def test_does_not_mind_the_order_of_steps(self, signals):
        fusion = exact(AttentionStepsFusion(DIMS))
        turned = {m: Signal(s.data.flip(1), s.mask.flip(1)) for m, s in signals.items()}
        torch.testing.assert_close(fusion(turned).data, fusion(signals).data)


class TestCrossAttention:
    def test_of_vectors_by_hand(self, random):
        """To attend to one step alone is to read its value whatever the query."""
        fusion = exact(CrossAttentionFusion({"a": 3, "b": 2}, dim=4, heads=2, feedforward=5))
        x = {"a": random.normal(size=(2, 3)), "b": random.normal(size=(2, 2))}
        here = torch.ones(2, dtype=torch.bool)
        found = fusion({m: Signal.vector(torch.tensor(v), here) for m, v in x.items()}).pooled().detach()

        def normal(z):
            return (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)

        h = {m: affine(fusion.space.maps[m], v) + np.array([0, 1, 0, 1]) for m, v in x.items()}  # sinusoids of step 0
        out = []
        for m, other in (("a", "b"), ("b", "a")):
            block = fusion.blocks[m]
            y = h[m] + affine(block.attend.out, affine(block.attend.value, normal(h[other])))
            units = torch.nn.functional.gelu(torch.tensor(affine(block.feed[1], normal(y)))).numpy()
            out.append(normal(y + affine(block.feed[4], units)))
        np.testing.assert_allclose(found, (out[0] + out[1]) / 2, atol=1e-10)

    def test_renaming_modalities_along_with_their_parameters_changes_nothing(self, signals):
        fusion = exact(CrossAttentionFusion(DIMS))
        other = renamed(fusion, exact(CrossAttentionFusion(turned())))
        torch.testing.assert_close(other(signals).pooled(), fusion(signals).pooled())

    def test_refuses_one_modality(self):
        with pytest.raises(ValueError, match="takes two modalities or more"):
            CrossAttentionFusion({"text": 3})


class TestBottleneck:
    def reach(self, fusion, signals):
        """By pair of modalities: whether what the second brings changes steps of the first, in rows with both."""
        signals = {m: Signal(s.data.requires_grad_(), s.mask) for m, s in signals.items()}
        found = {}
        for reader, steps in fusion.steps(signals).items():
            total = steps.data[steps.mask].square().sum()
            grads = torch.autograd.grad(
                total, [s.data for s in signals.values()], retain_graph=True, materialize_grads=True
            )
            found |= {(reader, m): bool(grad.any()) for m, grad in zip(signals, grads, strict=True)}
        return found

    def test_modalities_meet_in_the_tokens_and_nowhere_else(self, signals, monkeypatch):
        fusion = exact(BottleneckFusion(DIMS))
        assert all(self.reach(fusion, signals).values())
        monkeypatch.setattr(fusion, "agreed", lambda before, written, steps: before)  # as if nobody wrote
        assert self.reach(fusion, signals) == {(a, b): a == b for a in DIMS for b in DIMS}

    def test_one_layer_with_tokens_is_too_few(self, signals):
        """What is written in it nobody reads."""
        fusion = exact(BottleneckFusion(DIMS, layers=3, separate=1))
        fusion.separate = 2
        assert self.reach(fusion, signals) == {(a, b): a == b for a in DIMS for b in DIMS}
        with pytest.raises(ValueError, match="so separate=1 at most, or layers=4 at least"):
            BottleneckFusion(DIMS, layers=3, separate=2)

    def test_all_write_before_any_reads(self, signals):
        """So the order of modalities, along with their parameters, does not matter."""
        fusion = exact(BottleneckFusion(DIMS))
        other = renamed(fusion, exact(BottleneckFusion(turned())))
        torch.testing.assert_close(other(signals).pooled(), fusion(signals).pooled())

    def test_tokens_are_the_mean_of_what_those_present_wrote(self, signals):
        fusion = exact(BottleneckFusion(DIMS, tokens=2))
        before, written = torch.randn(5, 2, 64), {m: torch.randn(5, 2, 64) for m in DIMS}
        agreed = fusion.agreed(before, written, signals)
        torch.testing.assert_close(agreed[0], (written["text"] + written["image"] + written["audio"])[0] / 3)
        torch.testing.assert_close(agreed[3], (written["text"] + written["audio"])[3] / 2)
        torch.testing.assert_close(agreed[4], before[4])

    def test_a_separate_layer_is_a_transformer_of_each(self, signals):
        fusion = exact(BottleneckFusion(DIMS, layers=3, separate=1))
        alone = {m: fusion.blocks[m][0](s.data, s.mask.unsqueeze(1)) for m, s in fusion.space(signals).items()}
        deep = copy.deepcopy(fusion)
        deep.layers = 1
        for m, steps in deep.steps(signals).items():
            torch.testing.assert_close(steps.data[steps.mask], alone[m][steps.mask])


class TestMult:
    @pytest.fixture
    def fusion(self):
        return exact(MultFusion(DIMS, dim=8, heads=2, layers=2, memory=1))

    @pytest.mark.parametrize("modality", DIMS)
    def test_a_source_changes_only_the_streams_that_read_it(self, fusion, signals, modality):
        before, after = spoken(fusion, signals), spoken(fusion, changed(signals, modality))
        for pair in before:
            assert torch.equal(before[pair], after[pair]) == (modality not in pair), pair

    @pytest.mark.parametrize("causal", [False, True])
    @pytest.mark.parametrize("pool", ["mean", "last"])
    def test_padding_changes_nothing(self, signals, causal, pool):
        fusion = exact(MultFusion(DIMS, dim=8, heads=2, layers=1, memory=1, kernel=3, causal=causal, pool=pool))
        padded = {
            m: Signal(
                torch.cat([s.data, torch.full_like(s.data[:, :1], torch.nan).expand(-1, n, -1)], dim=1),
                torch.cat([s.mask, torch.zeros_like(s.mask[:, :1]).expand(-1, n)], dim=1),
            )
            for n, (m, s) in enumerate(signals.items(), start=1)
        }
        torch.testing.assert_close(fusion(padded).pooled(), fusion(signals).pooled())

    @pytest.mark.parametrize("causal", [False, True])
    def test_reaches_as_far_ahead_as_the_lengths_differ(self, causal, sequences):
        """Of text's 5 steps and image's 3: step i of one reads the other's up to i + 2, where causal, else all."""
        dims = {"text": 3, "image": 2}
        signals = {m: Signal(s.data.double(), s.mask) for m, s in sequences(dims, {"text": [5], "image": [3]}).items()}
        fusion = exact(MultFusion(dims, dim=8, heads=2, layers=2, memory=1, causal=causal))
        data = signals["image"].data.requires_grad_()
        told = fusion.told("text", {m: fusion.mapped(m, s) for m, s in signals.items()}).data[0]  # (5, 8)
        for step in range(5):
            (grad,) = torch.autograd.grad(told[step, 0], data, retain_graph=True)
            assert grad[0].any(dim=-1).tolist() == [not causal or s <= step + 2 for s in range(3)]

    def test_causal_steps_do_not_know_what_comes_later_in_their_own_modality(self, sequences):
        dims = {"text": 3, "image": 2}
        signals = {m: Signal(s.data.double(), s.mask) for m, s in sequences(dims, {"text": [4], "image": [4]}).items()}
        fusion = exact(MultFusion(dims, dim=8, heads=2, layers=1, memory=2, causal=True))
        signals["text"].data.requires_grad_()
        told = fusion.told("text", {m: fusion.mapped(m, s) for m, s in signals.items()}).data[0]
        for step in range(4):
            (grad,) = torch.autograd.grad(told[step, 0], signals["text"].data, retain_graph=True)
            assert not grad[0, step + 1 :].any()
            assert grad[0, : step + 1].any(dim=-1).all()

    def test_the_last_step_is_the_last_real_one(self, signals):
        fusion = exact(MultFusion(DIMS, dim=8, heads=2, layers=1, memory=1, pool="last"))
        torch.nn.init.zeros_(fusion.residual[-1].weight)
        torch.nn.init.zeros_(fusion.residual[-1].bias)
        targets = [fusion.told(t, {m: fusion.mapped(m, s) for m, s in signals.items()}) for t in DIMS]
        expected = torch.cat([targets[0].data[1, 1], targets[1].data[1, 3], targets[2].data[1, 2]])
        torch.testing.assert_close(fusion(signals).data[1, 0], expected)

    def test_renaming_modalities_along_with_their_parameters_changes_nothing(self, fusion, signals):
        """Each target's streams stand in the order of modalities, and so do the targets: with two, only the targets."""
        dims = {m: DIMS[m] for m in ("text", "image")}
        fusion, other = (
            exact(MultFusion(d, dim=8, heads=2, layers=1, memory=1)) for d in (dims, {"image": 5, "text": 6})
        )
        other.load_state_dict(fusion.state_dict())
        swap = torch.arange(16).roll(8)
        for layer in (other.residual[0], other.residual[3]):
            layer.weight.data = layer.weight.data[swap][:, swap]
            layer.bias.data = layer.bias.data[swap]
        torch.testing.assert_close(other(signals).pooled()[:, swap], fusion(signals).pooled())

    def test_refuses_what_cannot_be(self):
        with pytest.raises(ValueError, match="takes two modalities or more"):
            MultFusion({"text": 3})
        with pytest.raises(ValueError, match="kernel=2: it has to be odd"):
            MultFusion(DIMS, kernel=2)
        with pytest.raises(ValueError, match="dim=40: heads=7"):
            MultFusion(DIMS, heads=7)


class TestPerceiver:
    @pytest.mark.parametrize("positions", [False, True])
    def test_minds_the_order_of_steps_only_where_they_have_positions(self, signals, positions):
        fusion = exact(PerceiverFusion(DIMS, positions=positions))
        flipped = {m: Signal(s.data.flip(1), s.mask.flip(1)) for m, s in signals.items()}
        alike = torch.allclose(fusion(flipped).pooled()[:4], fusion(signals).pooled()[:4], atol=1e-9)
        assert alike == (not positions)

    def test_renaming_modalities_along_with_their_parameters_changes_nothing(self, signals):
        fusion = exact(PerceiverFusion(DIMS))
        other = renamed(fusion, exact(PerceiverFusion(turned())))
        torch.testing.assert_close(other(signals).pooled(), fusion(signals).pooled())

    def test_tells_modalities_of_one_content_apart(self, sequences):
        dims = {"a": 4, "b": 4}
        x = sequences({"a": 4}, {"a": [3, 2]})["a"]
        nobody = Signal(x.data, torch.zeros_like(x.mask))
        fusion = PerceiverFusion(dims).eval()
        assert not torch.allclose(fusion({"a": x, "b": nobody}).data, fusion({"a": nobody, "b": x}).data, atol=1e-3)


class TestAligned:
    @pytest.fixture
    def unequal(self):
        """A row with a's steps 0, 1, 2, 3 and b's 10, 11; one with b alone; one with nothing."""
        a, b = torch.arange(4.0).expand(3, 4)[..., None], torch.tensor([10.0, 11.0]).expand(3, 2)[..., None]
        masks = (
            torch.tensor([[True] * 4, [False] * 4, [False] * 4]),
            torch.tensor([[True] * 2, [True] * 2, [False] * 2]),
        )
        return {"a": Signal(a, masks[0]), "b": Signal(b, masks[1])}

    def test_unequal_lengths_are_refused_with_the_way_on(self, unequal):
        with pytest.raises(DataError, match=r"differ: a 4, b 2\n  to go on: fusion.align=resample"):
            aligned(unequal, ["a", "b"], "require")

    def test_what_one_row_lacks_is_no_unequal_length(self, unequal):
        found = aligned({m: Signal(s.data[1:], s.mask[1:]) for m, s in unequal.items()}, ["a", "b"], "require")
        assert found["b"].data[..., 0].tolist() == [[10, 11, 0, 0], [0, 0, 0, 0]]
        assert found["b"].mask.tolist() == [[True, True, False, False], [False] * 4]

    def test_trust_lets_the_shorter_end(self, unequal):
        found = aligned(unequal, ["a", "b"], "trust")
        assert found["b"].data[0, :, 0].tolist() == [10, 11, 0, 0]

    def test_resampling_stretches_the_shorter(self, unequal):
        found = aligned(unequal, ["a", "b"], "resample")
        assert found["a"].data[..., 0].tolist() == [[0, 1, 2, 3], [0] * 4, [0] * 4]
        assert found["b"].data[..., 0].tolist() == [[10, 10, 11, 11], [10, 11, 0, 0], [0] * 4]
        assert found["b"].mask.sum(dim=1).tolist() == [4, 2, 0]

    def test_resampling_leaves_out_what_is_masked_between(self):
        gaps = Signal(torch.arange(4.0)[None, :, None], torch.tensor([[False, True, False, True]]))
        whole = Signal(torch.zeros(1, 4, 1), torch.ones(1, 4, dtype=torch.bool))
        found = aligned({"a": whole, "b": gaps}, ["a", "b"], "resample")
        assert found["b"].data[0, :, 0].tolist() == [1, 1, 3, 3]


@pytest.fixture
def together(sequences):
    """Modalities of one length, text and sound of three rows; a row that lacks text."""
    found = sequences({"text": 3, "audio": 2}, {"text": [4, 2, 0], "audio": [4, 2, 3]})
    return {m: Signal(s.data.double(), s.mask) for m, s in found.items()}


class TestEarly:
    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    @pytest.mark.parametrize("bidirectional", [False, True])
    def test_packed_is_each_row_unpadded(self, together, cell, bidirectional):
        fusion = exact(EarlyFusion({"text": 3, "audio": 2}, dim=6, cell=cell, layers=2, bidirectional=bidirectional))
        found = fusion(together).pooled()
        for row, steps in enumerate([4, 2, 3]):
            text = together["text"].data[row, :steps] * (row < 2)
            output, _ = fusion.rnn(torch.cat([text, together["audio"].data[row, :steps]], dim=1))  # (T, 6)
            half = 3 if bidirectional else 6
            torch.testing.assert_close(found[row], torch.cat([output[-1, :half], output[0, half:]]))

    @pytest.mark.parametrize("bidirectional", [False, True])
    def test_has_as_many_parameters_as_it_says(self, bidirectional):
        for cell, gates in (("lstm", 4), ("gru", 3)):
            fusion = EarlyFusion({"a": 3, "b": 2}, dim=6, cell=cell, layers=2, bidirectional=bidirectional)
            units, directions = (3, 2) if bidirectional else (6, 1)
            expected = directions * gates * units * ((5 + units + 2) + (6 + units + 2))
            assert sum(p.numel() for p in fusion.parameters()) == expected

    def test_unequal_lengths_are_refused_or_resampled(self, signals):
        with pytest.raises(DataError, match="differ: text 5, image 4, audio 1"):
            exact(EarlyFusion(DIMS))(signals)
        fused = exact(EarlyFusion(DIMS, align="resample"))(signals)
        assert fused.present.tolist() == [True] * 4 + [False]

    def test_refuses_an_odd_width_for_two_directions(self):
        with pytest.raises(ValueError, match="dim=5: each direction makes half"):
            EarlyFusion(DIMS, dim=5, bidirectional=True)


class TestEarlyTokens:
    def test_is_torchs_transformer_over_a_token_and_all_steps(self, together):
        fusion = exact(EarlyTokensFusion({"text": 3, "audio": 2}, dim=8, layers=1, heads=2, feedforward=12))
        layer = torch.nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True, norm_first=True)
        theirs, (block,) = exact(layer), fusion.blocks
        TestBlocks.copied(block.attend, theirs.self_attn)
        theirs.linear1.load_state_dict(block.feed[1].state_dict())
        theirs.linear2.load_state_dict(block.feed[4].state_dict())
        angles = np.arange(4)[:, None] / 10000 ** (np.arange(0, 8, 2) / 8)
        waves = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(4, 8)
        for row, lengths in enumerate([(4, 4), (2, 2), (0, 3)]):
            steps = [
                affine(fusion.space.maps[m], together[m].data[row, :n].numpy()) + waves[:n]
                for m, n in zip(("text", "audio"), lengths, strict=True)
            ]
            tokens = torch.cat([fusion.token[None], torch.tensor(np.concatenate(steps))])
            expected = torch.nn.functional.layer_norm(theirs(tokens[None])[0, 0], (8,))
            torch.testing.assert_close(fusion(together).pooled()[row], expected, atol=1e-6, rtol=1e-6)

    def test_renaming_modalities_along_with_their_parameters_changes_nothing(self, signals):
        fusion = exact(EarlyTokensFusion(DIMS))
        other = renamed(fusion, exact(EarlyTokensFusion(turned())))
        torch.testing.assert_close(other(signals).pooled(), fusion(signals).pooled())


class TestMfn:
    SIZES = {"text": 3, "audio": 2}

    @pytest.fixture
    def fusion(self):
        return exact(MfnFusion(self.SIZES, dim=4, hidden=3, memory=5, units=6))

    def test_is_the_papers_equations(self, fusion, together):
        """A row at a time, over its real steps, with torch's own LSTM for the cells' last state."""

        def net(name, x):
            layers = getattr(fusion, name)
            return affine(layers[3], np.maximum(affine(layers[0], x), 0))

        def sigmoid(x):
            return 1 / (1 + np.exp(-x))

        found = fusion(together).pooled().detach().numpy()
        for row, (texts, sounds) in enumerate([(4, 4), (2, 2), (0, 3)]):
            state, cells = {}, {}
            for m, number in (("text", texts), ("audio", sounds)):
                c, h = np.zeros(3), np.zeros(3)
                own, cells[m] = fusion.cells[m], [c]
                for x in together[m].data[row, :number].numpy():
                    gates = own.weight_ih.detach().numpy() @ x + own.weight_hh.detach().numpy() @ h
                    gates = gates + (own.bias_ih + own.bias_hh).detach().numpy()
                    enter, forget, new, leave = gates.reshape(4, 3)
                    c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(new)
                    h = sigmoid(leave) * np.tanh(c)
                    cells[m].append(c)
                state[m] = h
            both = [np.concatenate([cells["text"][min(t, texts)], cells["audio"][t]]) for t in range(sounds + 1)]
            u = np.zeros(5)
            for before, after in pairwise(both):
                pair = np.concatenate([before, after])
                heard = softmax(net("attend", pair)) * pair
                read = np.concatenate([heard, u])
                u = sigmoid(net("keep", read)) * u + sigmoid(net("write", read)) * np.tanh(net("propose", heard))
            expected = net("out", np.concatenate([state["text"], state["audio"], u]))
            np.testing.assert_allclose(found[row], expected, atol=1e-10)

    def test_nothing_written_is_nothing_remembered(self, fusion, together):
        torch.nn.init.zeros_(fusion.propose[3].weight)
        torch.nn.init.zeros_(fusion.propose[3].bias)
        heard = torch.randn(3, 4, 12, dtype=torch.float64)
        assert not fusion.remembered(heard, together["audio"].mask).any()

    def test_unequal_lengths_are_refused_or_resampled(self, signals):
        with pytest.raises(DataError, match="differ: text 5, image 4, audio 1"):
            exact(MfnFusion(DIMS))(signals)
        fused = exact(MfnFusion(DIMS, align="resample"))(signals)
        assert fused.present.tolist() == [True] * 4 + [False]
