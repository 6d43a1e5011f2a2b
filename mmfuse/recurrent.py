"""Runs a recurrent network over the real steps of a padded batch, and over nothing else."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mmfuse.stepwise import Stepwise


def run_packed(
    rnn: nn.RNNBase | Stepwise, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T E"]:
    """The output at every step up to the last real one, zeros after it.

    A row runs as far as its last real step; one without any runs for a single step of zeros, which stays masked.
    """
    if isinstance(rnn, Stepwise):  # in a model that is being exported
        return rnn(data.masked_fill(~mask.unsqueeze(-1), 0.0), mask)
    place = torch.arange(1, mask.shape[1] + 1, device=mask.device)  # (T,)
    lengths = (mask * place).amax(dim=1).clamp(min=1).cpu()  # (B,)
    data = data.masked_fill(~mask.unsqueeze(-1), 0.0)
    packed = pack_padded_sequence(data, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=mask.shape[1])[0]
