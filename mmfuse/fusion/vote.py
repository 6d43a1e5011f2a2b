"""A vote: every modality has one, for the class it holds most likely, and the class with the most votes wins.

Ties go to the higher sum of probabilities, then to the earlier class (Kittler et al., On Combining Classifiers, 1998,
https://doi.org/10.1109/34.667881, for the vote itself). Votes have no slope, so that in training it is what breaks
ties that comes out, the mean of the probabilities; votes are counted where nothing is learned. Then
p = (1 - s) votes / n + s mean of p_m, with s = 1 / (n + 2) for n modalities, so that the mean never outdoes a vote; of
one modality, s = 1. For model=late and one class of several. An absent modality does not vote.
Parameters: none.
"""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mmfuse.fusion.decision import Rule, log_mean


class VoteFusion(Rule):
    def __init__(self, dims: dict[str, int]):  # read from the source, where what is inherited is not seen
        super().__init__(dims)

    def decide(self, logs: Float[Tensor, "B M C"], present: Bool[Tensor, "B M"]) -> Float[Tensor, "B C"]:
        mean = log_mean(logs, present)  # (B, C)
        if self.training:
            return mean
        votes = F.one_hot(logs.argmax(dim=2), self.dim).to(logs.dtype)  # (B, M, C)
        number = present.sum(dim=1, keepdim=True).to(logs.dtype)  # (B, 1)
        counted = votes.masked_fill(~present.unsqueeze(-1), 0.0).sum(dim=1) / number.clamp(min=1)  # (B, C)
        share = (1 / (number + 2)).masked_fill(number == 1, 1.0)  # (B, 1)
        return ((1 - share) * counted).log().logaddexp(share.log() + mean)
