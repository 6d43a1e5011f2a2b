"""Forms that `paper_faithful` switches to: what the authors' code does, and the default does otherwise."""

import pytest
import torch

from mmfuse.fusion.misa import MisaFusion
from mmfuse.fusion.mult import MultFusion
from mmfuse.types import Signal

DIMS = {"text": 3, "image": 2, "audio": 4}


def longer(signals, more=2):
    """The same signals, padded by so many steps."""
    return {
        m: Signal(
            torch.nn.functional.pad(s.data, (0, 0, 0, more)), torch.nn.functional.pad(s.mask, (0, more), value=False)
        )
        for m, s in signals.items()
    }


class TestMult:
    @staticmethod
    def made(dims, **keys):
        return MultFusion(dims, dim=8, heads=2, layers=2, memory=1, **keys).double().eval()

    @pytest.fixture
    def signals(self, sequences):
        found = sequences(DIMS, {"text": [5, 2], "image": [3, 3], "audio": [4, 1]})
        return {m: Signal(s.data.double(), s.mask) for m, s in found.items()}

    @pytest.mark.parametrize("faithful", [False, True])
    def test_padding_changes_the_authors_form_alone(self, signals, faithful):
        fusion = self.made(DIMS, paper_faithful=faithful)
        same = torch.allclose(fusion(longer(signals)).data, fusion(signals).data)
        assert same is not faithful

    def test_a_step_is_told_of_steps_up_to_its_own_and_the_difference_of_lengths(self, sequences):
        """Of text's 5 steps and image's 3, in a batch: step i of one reads the other's up to i + 2."""
        dims = {"text": 3, "image": 2}
        found = sequences(dims, {"text": [5, 2], "image": [3, 3]})  # lengths are the batch's: so in its second row, too
        signals = {m: Signal(s.data.double(), torch.ones_like(s.mask)) for m, s in found.items()}
        fusion = self.made(dims, paper_faithful=True)
        data = signals["image"].data.requires_grad_()
        told = fusion.told("text", {m: fusion.mapped(m, s) for m, s in signals.items()}).data  # (B, 5, 8)
        for step in range(5):
            (grad,) = torch.autograd.grad(told[1, step, 0], data, retain_graph=True)
            assert grad[1].any(dim=-1).tolist() == [source <= step + 2 for source in range(3)]

    def test_a_row_of_full_length_is_that_of_the_causal_form_that_reads_the_last_step(self, signals):
        """Where nothing is padding, padding makes no difference. In other rows it does."""
        faithful, causal = self.made(DIMS, paper_faithful=True), self.made(DIMS, causal=True, pool="last")
        causal.load_state_dict(faithful.state_dict())
        found, expected = faithful(signals).data, causal(signals).data
        torch.testing.assert_close(found[0], expected[0])
        assert not torch.allclose(found[1], expected[1])

    def test_what_lies_behind_the_mask_is_zeros(self, signals):
        spoilt = {m: Signal(s.data.masked_fill(~s.mask.unsqueeze(-1), torch.nan), s.mask) for m, s in signals.items()}
        fusion = self.made(DIMS, paper_faithful=True)
        assert torch.equal(fusion(spoilt).data, fusion(signals).data)

    def test_a_row_without_anything_is_absent(self, signals):
        none = {m: Signal(s.data, s.mask & torch.tensor([[True], [False]])) for m, s in signals.items()}
        assert self.made(DIMS, paper_faithful=True)(none).mask.tolist() == [[True], [False]]


class TestMisa:
    @pytest.fixture
    def signals(self):
        here = torch.ones(6, dtype=torch.bool)
        return {m: Signal.vector(torch.randn(6, d, dtype=torch.float64), here) for m, d in DIMS.items()}

    @staticmethod
    def made(**keys):
        return MisaFusion(DIMS, dim=8, **keys).double()

    def test_is_a_layer_of_a_transformer_over_all_six(self, signals):
        """Written out: attention, residual, normalization, 2048 units of relu, residual, normalization."""
        fusion = self.made(paper_faithful=True).eval()
        u = {m: project[2](project[0](signals[m].data[:, 0]).clamp(min=0)) for m, project in fusion.project.items()}
        common = [fusion.common[0](x).sigmoid() for x in u.values()]
        private = [fusion.private[m][0](x).sigmoid() for m, x in u.items()]
        h, layer = torch.stack(common + private, dim=1), fusion.layer  # (B, 6, D)
        weight, bias = layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
        q, k, v = (part.unflatten(2, (2, 4)) for part in (h @ weight.T + bias).chunk(3, dim=2))  # (B, 6, H, D / H)
        shares = (torch.einsum("bvhd,bwhd->bhvw", q, k) / 2).softmax(dim=3)
        read = layer.self_attn.out_proj(torch.einsum("bhvw,bwhd->bvhd", shares, v).flatten(2))
        h = layer.norm1(h + read)
        h = layer.norm2(h + layer.linear2(layer.linear1(h).clamp(min=0)))
        assert layer.linear1.out_features == 2048
        expected = fusion.join[0](h.flatten(1)).clamp(min=0)
        torch.testing.assert_close(fusion(signals).data[:, 0], expected)

    def test_is_m_times_as_wide(self, signals):
        for faithful, dim in ((False, 8), (True, 24)):
            fusion = self.made(paper_faithful=faithful)
            assert fusion.dim == dim == fusion(signals).data.shape[2]

    def test_the_difference_is_a_sum_over_six_pairs(self, signals):
        """The default's representations without the relu: a bias that keeps all above 0."""
        default, faithful = self.made().eval(), self.made(paper_faithful=True).eval()
        for fusion in (default, faithful):
            for project in fusion.project.values():
                torch.nn.init.constant_(project[0].bias, 100.0)
        named = dict(default.named_parameters())
        for name, parameter in faithful.named_parameters():
            if name.startswith(("common", "private")) or (name.startswith("project") and ".0." in name):
                parameter.data = named[name].data
        losses = [fusion.fuse(signals).losses for fusion in (default, faithful)]
        torch.testing.assert_close(losses[0]["similarity"], losses[1]["similarity"])
        torch.testing.assert_close(6 * losses[0]["difference"], losses[1]["difference"])

    def test_each_modality_has_a_decoder(self, signals):
        """One that decodes to zeros is wrong by all that there was, and the others are no more wrong than before."""
        fusion = self.made(paper_faithful=True).eval()
        alone = {m: {n: Signal(s.data, s.mask & (m == n)) for n, s in signals.items()} for m in signals}
        before = {m: fusion.fuse(heard).losses["reconstruction"] for m, heard in alone.items()}
        for parameter in fusion.decoders["text"].parameters():
            torch.nn.init.zeros_(parameter)
        after = {m: fusion.fuse(heard).losses["reconstruction"] for m, heard in alone.items()}
        u = fusion.project["text"](signals["text"].data[:, 0])
        torch.testing.assert_close(after["text"], u.square().mean())
        assert [bool(after[m] == before[m]) for m in DIMS] == [False, True, True]

    @pytest.mark.parametrize("widths", [(3, 2), (3, 2, 4)])
    def test_has_as_many_parameters_as_it_says(self, widths):
        dims, number, dim = {f"m{k}": d for k, d in enumerate(widths)}, len(widths), 8
        fusion = MisaFusion(dims, dim=dim, paper_faithful=True)
        expected = sum(d + 3 for d in widths) * dim + (2 * number + 1) * (dim + 1) * dim
        expected += 4 * dim**2 + 9 * dim + 2048 * (2 * dim + 1) + (2 * number * dim + 1) * number * dim
        assert sum(p.numel() for p in fusion.parameters()) == expected
