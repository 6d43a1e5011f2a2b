"""Cross-attention: every modality reads, step by step, what all the others say, once.

For each modality m, whose steps are queries, and the steps of all others, which are keys and values:
x <- x + attention(LN x, LN others), x <- x + feedforward(LN x), its real steps averaged, and then the modalities. One
layer of what Lu et al., ViLBERT, 2019, https://arxiv.org/abs/1908.02265, and Tsai et al., 2019,
https://arxiv.org/abs/1906.00295, stack; the smallest attention in which modalities meet, and one for vectors too.

An absent modality is neither read nor averaged; one that is alone reads nothing and is heard as it is; a row without
any is zeros.
Parameters: sum of (d_m + 1) * dim, M (4 dim^2 + 2 dim * feedforward + 10 dim + feedforward), and 2 dim.
"""

from torch import nn

from mmfuse.fusion.blocks import CrossBlock
from mmfuse.fusion.step_space import StepSpace, joined, mean_of_present
from mmfuse.types import Fusion, Parts, Signal, Signals


class CrossAttentionFusion(Fusion):
    def __init__(
        self, dims: dict[str, int], dim: int = 64, heads: int = 4, feedforward: int = 128, dropout: float = 0.1
    ):
        super().__init__()
        if len(dims) < 2:
            raise ValueError(f"cross-attention takes two modalities or more, and there is only {list(dims)}")
        self.dim = dim
        self.space = StepSpace(dims, dim, positions=True)
        self.blocks = Parts({m: CrossBlock(dim, heads, feedforward, dropout) for m in dims})
        self.norm = nn.LayerNorm(dim)

    def forward(self, signals: Signals) -> Signal:
        steps = self.space(signals)
        return mean_of_present({m: self.read(m, steps) for m in steps})

    def read(self, modality: str, steps: Signals) -> Signal:
        own = steps[modality]
        others = joined({m: s for m, s in steps.items() if m != modality})  # (B, S, D)
        data = self.blocks[modality](own.data, others.data, others.mask.unsqueeze(1))  # (B, T, D)
        return Signal(self.norm(data), own.mask)
