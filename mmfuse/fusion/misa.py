"""Modality-invariant and -specific representations (MISA): what modalities share and what each has alone, then both.

u_m = LayerNorm(W_m x_m); c_m = sigmoid(C u_m), one C for all; p_m = sigmoid(P_m u_m); multi-head attention among all c
and p, h = LayerNorm(h + attention); then relu(G [...] + b) of them side by side. Hazarika et al., MISA, 2020,
https://arxiv.org/abs/2005.03545. Its losses:
similarity, the central moment discrepancy of each two modalities' c (Zellinger et al., 2017,
https://arxiv.org/abs/1702.08811): |E X - E Y| + sum over k = 2..5 of |c_k(X) - c_k(Y)|, c_k the k-th central moment;
difference, the mean of (X'Y)^2 of c_m and p_m and of each two modalities' p, centred over the batch, each row then of
length 1; reconstruction, the mean of (u_m - D(c_m + p_m))^2, one D for all. Both LayerNorms and the residual are of
the authors' code, not of the paper's equations, by which every u becomes the same and nothing is learned in the first
epochs.

`paper_faithful: true` is the authors' code in the rest, too: u_m = LayerNorm(relu(W_m x_m)); a whole layer of a
transformer in place of the attention, biases, 2048 units of relu and dropout 0.1 included; G half as wide as what it
reads, M dim, its dropout before the relu; a D for each modality; and the difference is the sum over the pairs, not
their mean, so it counts six times as much with three modalities. What is not theirs in either form: their discrepancy
has NaN for a gradient where two modalities agree, and they know no absent modality.

An absent modality is not attended to, a block of zeros in the end, and in no loss. What compares distributions is over
the batch: where fewer than two rows have a modality, it has no such loss, which is then 0.
Parameters: sum of (d_m + 3) dim + (M + 2) (dim + 1) dim + 4 dim^2 + 2 dim + (2 M dim + 1) dim; with `paper_faithful`
sum of (d_m + 3) dim + (2 M + 1) (dim + 1) dim + 4 dim^2 + 9 dim + 2048 (2 dim + 1) + (2 M dim + 1) M dim.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from mmfuse.fusion.vectors import present_in
from mmfuse.types import Fused, Fusion, Parts, Signal, Signals

MOMENTS = 5


class MisaFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        heads: int = 2,
        dropout: float = 0.5,
        similarity: float = 1.0,
        difference: float = 0.3,
        reconstruction: float = 1.0,
        paper_faithful: bool = False,
    ):
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim={dim}: heads={heads} share it, so it has to be a multiple of that")
        self.heads, self.paper_faithful = heads, paper_faithful
        self.dim = len(dims) * dim if paper_faithful else dim
        self.factors = {"similarity": similarity, "difference": difference, "reconstruction": reconstruction}
        bend = [nn.ReLU()] if paper_faithful else []
        self.project = Parts({m: nn.Sequential(nn.Linear(d, dim), *bend, nn.LayerNorm(dim)) for m, d in dims.items()})
        self.common = nn.Sequential(nn.Linear(dim, dim), nn.Sigmoid())
        self.private = Parts({m: nn.Sequential(nn.Linear(dim, dim), nn.Sigmoid()) for m in dims})
        joined, drop = 2 * len(dims) * dim, nn.Dropout(dropout)
        if paper_faithful:
            self.decoders = Parts({m: nn.Linear(dim, dim) for m in dims})
            self.layer = nn.TransformerEncoderLayer(dim, heads, dim_feedforward=2048, dropout=0.1, batch_first=True)
            self.join = nn.Sequential(nn.Linear(joined, self.dim), drop, nn.ReLU())
            return
        self.decode = nn.Linear(dim, dim)
        self.ask = nn.Linear(dim, 3 * dim, bias=False)  # queries, keys and values
        self.answer = nn.Linear(dim, dim, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.join = nn.Sequential(drop, nn.Linear(joined, dim), nn.ReLU())

    def forward(self, signals: Signals) -> Signal:
        return self.fuse(signals).signal

    def fuse(self, signals: Signals) -> Fused:
        present = present_in(signals, self.project)  # (B, M)
        own = {m: project(signals[m].pooled()) for m, project in self.project.items()}  # each (B, D)
        projected = torch.stack(list(own.values()), dim=1)  # (B, M, D)
        common = self.common(projected)  # (B, M, D)
        private = torch.stack([part(own[m]) for m, part in self.private.items()], dim=1)  # (B, M, D)
        twice = torch.cat([present, present], dim=1)  # (B, 2 M)
        attended = self.attend(torch.cat([common, private], dim=1), twice)  # (B, 2 M, D)
        signal = Signal.vector(self.join(attended.flatten(1)), present.any(dim=1))
        errors = (self.decoded(common + private) - projected).square().mean(dim=2)  # (B, M)
        pairs_compared = len(own) * (len(own) + 1) / 2 if self.paper_faithful else 1
        losses = {
            "similarity": discrepancy(common, present),
            "difference": pairs_compared * overlap(common, private, present),
            "reconstruction": errors.masked_fill(~present, 0.0).sum() / present.sum().clamp(min=1),
        }
        return Fused(signal, {name: self.factors[name] * loss for name, loss in losses.items()})

    def decoded(self, both: Float[Tensor, "B M D"]) -> Float[Tensor, "B M D"]:
        if not self.paper_faithful:
            return self.decode(both)
        parts = zip(self.decoders.values(), both.unbind(dim=1), strict=True)
        return torch.stack([decode(part) for decode, part in parts], dim=1)

    def attend(self, vectors: Float[Tensor, "B V D"], mask: Bool[Tensor, "B V"]) -> Float[Tensor, "B V D"]:
        seen = mask | ~mask.any(dim=1, keepdim=True)  # (B, V): attention to nothing would be NaN
        if self.paper_faithful:
            return self.layer(vectors, src_key_padding_mask=~seen).masked_fill(~mask.unsqueeze(-1), 0.0)
        queries, keys, values = (
            self.ask(vectors).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )  # (B, H, V, D / H) each
        heard = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen[:, None, None])  # (B, H, V, D / H)
        attended = self.norm(vectors + self.answer(heard.transpose(1, 2).flatten(2)))  # (B, V, D)
        return attended.masked_fill(~mask.unsqueeze(-1), 0.0)


def pairs(number: int, device: torch.device) -> tuple[Tensor, Tensor]:
    left, right = torch.triu_indices(number, number, offset=1, device=device)  # (P,) each
    return left, right


def centred(x: Float[Tensor, "B M D"], present: Bool[Tensor, "B M"]) -> tuple[Tensor, Tensor]:
    """Each modality less its mean over the rows that have it, zeros in the others; and the means (M, D)."""
    there = present.unsqueeze(-1)  # (B, M, 1)
    means = x.masked_fill(~there, 0.0).sum(dim=0) / present.sum(dim=0).clamp(min=1).unsqueeze(-1)  # (M, D)
    return (x - means).masked_fill(~there, 0.0), means


def discrepancy(x: Float[Tensor, "B M D"], present: Bool[Tensor, "B M"]) -> Float[Tensor, ""]:
    """The central moment discrepancy, mean over the pairs of modalities that two rows or more have each."""
    rows = present.sum(dim=0)  # (M,)
    rest, means = centred(x, present)
    orders = torch.arange(2, MOMENTS + 1, device=x.device).view(-1, 1, 1, 1)
    higher = (rest**orders).sum(dim=1) / rows.clamp(min=1).unsqueeze(-1)  # (4, M, D)
    moments = torch.cat([means[None], higher])  # (5, M, D)
    left, right = pairs(x.shape[1], x.device)
    each = (moments[:, left] - moments[:, right]).norm(dim=2).sum(dim=0)  # (P,); the slope of a norm of 0 is 0
    counts = (rows[left] > 1) & (rows[right] > 1)  # (P,)
    return each.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)


def overlap(
    common: Float[Tensor, "B M D"], private: Float[Tensor, "B M D"], present: Bool[Tensor, "B M"]
) -> Float[Tensor, ""]:
    """How far from orthogonal: mean over each modality's two, and over each two modalities' private ones."""

    def lines(x: Tensor) -> Tensor:  # (B, M, D)
        rest, _ = centred(x, present)
        return rest / (rest.detach().norm(dim=2, keepdim=True) + 1e-6)

    shared, alone = lines(common), lines(private)
    left, right = pairs(common.shape[1], common.device)
    one = torch.cat([alone, alone[:, left]], dim=1)  # (B, P, D)
    other = torch.cat([shared, alone[:, right]], dim=1)  # (B, P, D)
    return torch.einsum("bpd,bpe->pde", one, other).square().mean()
