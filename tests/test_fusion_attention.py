"""Fusions that attend: each against its equation worked out in numpy, or another library's layer of the same weights."""

import numpy as np
import pytest
import torch

from mmfuse.fusion.attention import AttentionFusion
from mmfuse.fusion.attention_steps import AttentionStepsFusion
from mmfuse.fusion.blocks import Attention, CrossBlock, SelfBlock
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
