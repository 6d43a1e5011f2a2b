"""Each step reads all steps of its row, by weights of its own place in it: the attention of CAT-LSTM.

Poria et al., Multi-level Multiple Attentions for Contextual Multimodal Sentiment Analysis, ICDM 2017,
https://doi.org/10.1109/ICDM.2017.134. Of a row's steps H = [h_1, ..., h_N], at step t:

    P_t = tanh(W_h[t] H),  a_t = softmax(w[t] . P_t),  r_t = H a_t,  h*_t = tanh(W_p[t] r_t + W_x[t] h_t)

so that every place has matrices of its own; steps beyond the `longest` place use those of the last. Masked steps are
not read. Parameters: longest * (3 dim^2 + dim).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse import masks


class StepAttention(nn.Module):
    def __init__(self, dim: int, longest: int):
        super().__init__()
        if longest < 1:
            raise ValueError(f"longest={longest}: at least 1 place is needed")
        self.longest = longest
        bound = dim**-0.5
        self.project = nn.Parameter(torch.empty(longest, dim, dim).uniform_(-bound, bound))  # W_h
        self.score = nn.Parameter(torch.empty(longest, dim).uniform_(-bound, bound))  # w
        self.read = nn.Parameter(torch.empty(longest, dim, dim).uniform_(-bound, bound))  # W_p
        self.own = nn.Parameter(torch.empty(longest, dim, dim).uniform_(-bound, bound))  # W_x

    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Zeros in masked steps."""
        data = torch.where(mask.unsqueeze(-1), data, 0.0)
        at = torch.arange(data.shape[1], device=data.device).clamp(max=self.longest - 1)  # (T,)
        projected = torch.einsum("tij,bsj->btsi", self.project[at], data).tanh()  # (B, T, S, D)
        scores = torch.einsum("btsi,ti->bts", projected, self.score[at])  # (B, T, S)
        weights = masks.softmax(scores, mask.unsqueeze(1).expand_as(scores))
        heard = torch.bmm(weights, data)  # (B, T, D)
        said = torch.einsum("tij,btj->bti", self.read[at], heard) + torch.einsum("tij,btj->bti", self.own[at], data)
        return torch.where(mask.unsqueeze(-1), said.tanh(), 0.0)
