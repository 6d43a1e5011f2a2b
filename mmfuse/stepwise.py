"""What an LSTM or a GRU does with a padded batch, written so that it can be exported: a scan over its steps.

`torch.export` unrolls torch's own recurrent networks to as many steps as it was shown, and cannot follow packing at
all. A scan is one node, whatever the number of steps; ONNX has it as well. Each row's real steps are reversed in place
for the direction that comes from behind, so that it starts at the last of them as in a packed batch.

Only for inference: there is no dropout between layers, and a scan is slower than torch's own.
"""

from inspect import unwrap

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Stepwise(nn.Module):
    """Stands in for `rnn` and shares its weights."""

    def __init__(self, rnn: nn.RNNBase):
        super().__init__()
        if not isinstance(rnn, nn.LSTM | nn.GRU) or not rnn.bias or rnn.proj_size:
            raise ValueError(f"{type(rnn).__name__}: an LSTM or a GRU with biases and without a projection is needed")
        self.rnn = rnn

    def forward(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T E"]:
        """Zeros after the last real step of each row."""
        place = torch.arange(mask.shape[1], device=mask.device)  # (T,)
        lengths = (mask * (place + 1)).amax(dim=1, keepdim=True).clamp(min=1)  # (B, 1)
        back = torch.where(place < lengths, lengths - 1 - place, place).unsqueeze(-1)  # (B, T, 1)
        ways = ("", "_reverse") if self.rnn.bidirectional else ("",)
        for layer in range(self.rnn.num_layers):
            data = torch.cat([self.way(f"_l{layer}{way}", data, back if way else None) for way in ways], dim=2)
        return data.masked_fill((place >= lengths).unsqueeze(-1), 0.0)

    def last(self, data: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B E"]:
        """Where each direction has come to at its end: the last real step of a row, and the first."""
        said = self(data, mask)  # (B, T, E)
        place = torch.arange(mask.shape[1], device=mask.device)  # (T,)
        end = (mask * place).amax(dim=1)[:, None, None]  # (B, 1, 1)
        ahead = said[:, :, : self.rnn.hidden_size]  # (B, T, H)
        ahead = ahead.gather(1, end.expand(-1, -1, ahead.shape[2]))[:, 0]  # (B, H)
        return torch.cat([ahead, said[:, 0, self.rnn.hidden_size :]], dim=1)

    def way(self, suffix: str, data: Tensor, back: Tensor | None) -> Tensor:
        """One layer in one direction: (B, T, D) -> (B, T, H)."""
        from torch._higher_order_ops.scan import scan  # torch has no other name for it yet

        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        inward, along, bias, bias_along = (getattr(self.rnn, name + suffix) for name in names)
        if back is not None:
            data = data.gather(1, back.expand(-1, -1, data.shape[2]))
        given = (data @ inward.T + bias).transpose(0, 1)  # (T, B, 4 H) or (T, B, 3 H)
        start = given.new_zeros(given.shape[1], self.rnn.hidden_size)  # (B, H)

        def lstm(state: tuple[Tensor, Tensor], now: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
            hidden, cell = state
            write, keep, new, read = (now + hidden @ along.T + bias_along).chunk(4, dim=1)
            cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
            hidden = read.sigmoid() * cell.tanh()
            return (hidden, cell), hidden.clone()  # a scan refuses outputs that are one tensor

        def gru(hidden: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
            reset, stay, new = now.chunk(3, dim=1)
            reset_too, stay_too, new_too = (hidden @ along.T + bias_along).chunk(3, dim=1)
            new = (new + (reset + reset_too).sigmoid() * new_too).tanh()
            hidden = new + (stay + stay_too).sigmoid() * (hidden - new)
            return hidden, hidden.clone()

        if isinstance(self.rnn, nn.LSTM):  # unwrapped: torch cannot follow the checks of shapes that tests wrap around
            said = scan(unwrap(lstm), (start, start.clone()), given)[1]  # (T, B, H)
        else:
            said = scan(unwrap(gru), start, given)[1]
        said = said.transpose(0, 1)
        return said if back is None else said.gather(1, back.expand(-1, -1, said.shape[2]))
