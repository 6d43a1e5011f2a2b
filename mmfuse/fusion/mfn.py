"""Memory Fusion Network: an LSTM for each modality, and a memory of what they say to each other from step to step.

Zadeh et al., Memory Fusion Network for Multi-view Sequential Learning, 2018, https://arxiv.org/abs/1802.00927. With
c_t the cells of all LSTMs side by side:

    c* = [c_{t-1}; c_t],  s = softmax(N_a(c*)) * c*,  v = tanh(N_v(s))
    keep, write = sigmoid(N_k([s; u])), sigmoid(N_w([s; u])),  u <- keep * u + write * v

and the result is N_o([h_T; u_T]). Every N is two layers with a relu between. The gates read the memory u, as in the
authors' code. Steps have to be aligned: `align` says how that is seen to. The paper's sizes differ by modality (88, 48
and 16 for text, sound and face); here all LSTMs have `hidden` units.

An LSTM keeps its state over a step that its modality lacks, and starts from zeros, which is where it stays when its
modality is absent; over a step that all lack the memory keeps its own. A row without any is absent.
Parameters, with h = hidden, S = 2 M h, k = units, g = memory and n(a, b) = (a + 1) k + (k + 1) b:
4 h (sum of d_m) + 4 M h (h + 2), n(S, S) + n(S, g) + 2 n(S + g, g) + n(S / 2 + g, dim).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mmfuse.fusion.aligned import Align, aligned
from mmfuse.types import Fusion, Parts, Signal, Signals


class MfnFusion(Fusion):
    def __init__(
        self,
        dims: dict[str, int],
        dim: int = 64,
        hidden: int = 64,
        memory: int = 64,
        units: int = 64,
        dropout: float = 0.2,
        align: Align = "require",
    ):
        super().__init__()
        self.dim = dim
        self.memory = memory
        self.align = align
        wide = 2 * len(dims) * hidden  # of c*
        self.cells = Parts({m: nn.LSTMCell(d, hidden) for m, d in dims.items()})
        self.attend = network(wide, units, wide, dropout)
        self.propose = network(wide, units, memory, dropout)
        self.keep = network(wide + memory, units, memory, dropout)
        self.write = network(wide + memory, units, memory, dropout)
        self.out = network(wide // 2 + memory, units, dim, dropout)

    def forward(self, signals: Signals) -> Signal:
        steps = aligned(signals, list(self.cells), self.align)
        runs = [run(self.cells[m], steps[m]) for m in self.cells]  # ((B, H), (B, 1 + T, H)) each
        cells = torch.cat([each for _, each in runs], dim=2)  # (B, 1 + T, M H)
        pairs = torch.cat([cells[:, :-1], cells[:, 1:]], dim=2)  # (B, T, 2 M H)
        heard = self.attend(pairs).softmax(dim=2) * pairs  # (B, T, 2 M H)
        real = torch.stack([s.mask for s in steps.values()]).any(dim=0)  # (B, T)
        memory = self.remembered(heard, real)  # (B, G)
        vector = self.out(torch.cat([state for state, _ in runs] + [memory], dim=1))  # (B, D)
        return Signal.vector(vector, real.any(dim=1))

    def remembered(self, heard: Float[Tensor, "B T C"], real: Bool[Tensor, "B T"]) -> Float[Tensor, "B G"]:
        """The memory after the last step."""
        proposed = self.propose(heard).tanh()  # (B, T, G)
        memory = heard.new_zeros(heard.shape[0], self.memory)
        for now, new, there in zip(heard.unbind(1), proposed.unbind(1), real.unbind(1), strict=True):
            read = torch.cat([now, memory], dim=1)  # (B, C + G)
            after = self.keep(read).sigmoid() * memory + self.write(read).sigmoid() * new
            memory = torch.where(there.unsqueeze(1), after, memory)
        return memory


def run(cell: nn.LSTMCell, signal: Signal) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B S H"]]:
    """The last state, and the cells before the first step and after each of them: S = 1 + T."""
    state = memory = signal.data.new_zeros(signal.data.shape[0], cell.hidden_size)  # (B, H)
    memories = [memory]
    for data, there in zip(signal.data.unbind(1), signal.mask.unsqueeze(2).unbind(1), strict=True):
        new_state, new_memory = cell(data, (state, memory))
        state, memory = torch.where(there, new_state, state), torch.where(there, new_memory, memory)
        memories.append(memory)
    return state, torch.stack(memories, dim=1)


def network(wide: int, units: int, out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(wide, units), nn.ReLU(), nn.Dropout(dropout), nn.Linear(units, out))
