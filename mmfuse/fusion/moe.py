"""Mixture of experts: one network a modality and one for all of them; a router says how much each counts.

y = sum of g_e E_e, g = softmax(R [z_1; ...; z_M] + r), E_e a hidden layer of relu and a linear one. With `top_k` only
so many experts count, those with the highest g, which sum to 1 again (Shazeer et al., Outrageously Large Neural
Networks, 2017, https://arxiv.org/abs/1701.06538). So that not always the same do, there is then a loss: balance * E *
sum of f_e P_e, f_e an expert's share of the choices and P_e its mean g before the choice; it is `balance` where all
are even (Fedus et al., Switch Transformers, 2022, https://arxiv.org/abs/2101.03961).

An absent modality's expert gets g = 0 and the others sum to 1, after the idea of Han et al., FuseMoE, 2024,
https://arxiv.org/abs/2402.03226; to the router and the joint expert it is zeros. Where fewer than top_k experts are
left, all of them count. The weights of modalities are handed out where there is no joint expert.
Parameters: over experts, each d_e wide, sum of (d_e + 1) hidden + (hidden + 1) dim; E (sum of d_m + 1) for the router.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse import masks
from mmfuse.fusion.vectors import side_by_side
from mmfuse.types import Fused, Fusion, Parts, Signal, Signals


class MoeFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 128,
        hidden: int = 128,
        joint: bool = True,
        top_k: int | None = None,
        balance: float = 0.01,
        dropout: float = 0.1,
    ):
        super().__init__()
        whole, experts = sum(dims.values()), len(dims) + joint
        if experts < 2:
            raise ValueError("moe takes two modalities or more, or joint=true: one expert leaves nothing to choose")
        if top_k is not None and not 2 <= top_k <= experts:
            raise ValueError(f"top_k={top_k}: from 2, or the router would not learn, up to {experts} experts")
        self.dim, self.top_k, self.balance = dim, top_k, balance
        self.widths = list(dims.values())
        self.own = Parts({m: network(d, hidden, dim, dropout) for m, d in dims.items()})
        self.joint = network(whole, hidden, dim, dropout) if joint else None
        self.router = nn.Linear(whole, experts)

    def forward(self, signals: Signals) -> Signal:
        return self.fuse(signals).signal

    def fuse(self, signals: Signals) -> Fused:
        whole, present = side_by_side(signals, self.own)  # (B, sum of D_m), (B, M)
        parts = zip(self.own.values(), whole.split(self.widths, dim=1), strict=True)
        said, ready, anything = [expert(part) for expert, part in parts], present, present.any(dim=1)
        if self.joint is not None:
            said, ready = [*said, self.joint(whole)], torch.cat([present, anything[:, None]], dim=1)  # (B, E)
        scores = self.router(whole)  # (B, E)
        chosen = ready if self.top_k is None else highest(scores, ready, self.top_k)
        shares = masks.softmax(scores, chosen)  # (B, E)
        mean = torch.bmm(shares.unsqueeze(1), torch.stack(said, dim=1))  # (B, 1, D)
        signal = Signal(mean, anything.unsqueeze(1))
        losses = {} if self.top_k is None else {"balance": self.balance * imbalance(scores, ready, chosen)}
        return Fused(signal, losses, shares if self.joint is None else None)


def network(width: int, hidden: int, dim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


def highest(scores: Float[Tensor, "B E"], ready: Bool[Tensor, "B E"], number: int) -> Bool[Tensor, "B E"]:
    """So many of those that are ready, or all."""
    best = scores.masked_fill(~ready, -torch.inf).topk(number, dim=1).indices  # (B, number)
    return torch.zeros_like(ready).scatter(1, best, value=True) & ready


def imbalance(
    scores: Float[Tensor, "B E"], ready: Bool[Tensor, "B E"], chosen: Bool[Tensor, "B E"]
) -> Float[Tensor, ""]:
    """1 where the router finds all experts equally good; 0 where no row has anything."""
    rows = ready.any(dim=1).sum().clamp(min=1)
    picked = chosen.sum(dim=0) / chosen.sum().clamp(min=1)  # (E,) f
    liked = masks.softmax(scores, ready).sum(dim=0) / rows  # (E,) P
    return scores.shape[1] * (picked * liked).sum()
