"""Every fusion as one would write it for a paper: a few lines of plain torch, to be timed against and checked against.

Default settings; three modalities of one width D. `xs` are the modalities: vectors (B, D) with `there` (B, 1) each,
whether it is present, or for the methods of steps sequences (B, T, D) with masks (B, T), True where a step is real.
What is absent counts as the fusion's own docstring has it, or the two would not be the same function.
"""

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

D, M = 128, 3


def zeroed(xs: list[Tensor], there: list[Tensor]) -> list[Tensor]:
    return [x.masked_fill(~p, 0.0) for x, p in zip(xs, there, strict=True)]


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -1e9).softmax(-1).masked_fill(~mask, 0.0)


def power_norm(z: Tensor) -> Tensor:
    return F.normalize(z.sign() * (z.abs() + 1e-12).sqrt(), dim=-1)


# ---- of vectors: xs (B, D) each, there (B, 1) each


class Sum(nn.Module):
    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        present = torch.cat(there, 1)
        return torch.stack(xs, 1).masked_fill(~present.unsqueeze(-1), 0.0).sum(1)


class Mean(nn.Module):
    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        present = torch.cat(there, 1)
        x = torch.stack(xs, 1).masked_fill(~present.unsqueeze(-1), 0.0)
        return x.sum(1) / present.sum(1, keepdim=True).clamp(min=1)


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(M))

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        present = torch.cat(there, 1)
        weights = self.weights.softmax(0) * present
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-30)
        x = torch.stack(xs, 1).masked_fill(~present.unsqueeze(-1), 0.0)
        return torch.einsum("bm,bmd->bd", weights, x)


class Concat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(M * D, 128)
        self.dropout = nn.Dropout(0.1)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        return self.dropout(self.linear(torch.cat(zeroed(xs, there), 1)).relu())


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(M * D, 128), nn.Linear(128, 128)
        self.dropout = nn.Dropout(0.1)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        h = self.dropout(self.first(torch.cat(zeroed(xs, there), 1)).relu())
        return self.dropout(self.second(h).relu())


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.speak = nn.ModuleList(nn.Linear(D, 128, bias=False) for _ in range(M))
        self.gate = nn.Linear(M * D, M * 128, bias=False)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        xs = zeroed(xs, there)
        said = torch.stack([speak(x).tanh() for speak, x in zip(self.speak, xs, strict=True)], 1)
        gates = self.gate(torch.cat(xs, 1)).sigmoid().view(-1, M, 128)
        return (gates * said).sum(1)  # tanh of an absent one's zeros is zeros


class SigmoidGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(D, 128, bias=False)
        self.speak = nn.ModuleList(nn.Linear(D, 128, bias=False) for _ in range(M - 1))
        self.out = nn.Linear(128, 128, bias=False)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        *ys, x = zeroed(xs, there)
        gate = self.gate(x).sigmoid().masked_fill(~there[-1], 1.0)
        said = sum(speak(y) for speak, y in zip(self.speak, ys, strict=True))
        said = said.masked_fill(~torch.cat(there[:-1], 1).any(1, keepdim=True), 1.0)
        return self.out(gate * said)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(D, 64), nn.Linear(64, 1, bias=False)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        present = torch.cat(there, 1)
        x = torch.stack(xs, 1).masked_fill(~present.unsqueeze(-1), 0.0)
        weights = masked_softmax(self.second(self.first(x).tanh()).squeeze(-1), present)
        return torch.einsum("bm,bmd->bd", weights, x)


class Film(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.condition = nn.Linear(D, 2 * (M - 1) * D)
        self.out = nn.Linear((M - 1) * D, 128)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        *ys, c = zeroed(xs, there)
        scale, shift = self.condition(c).masked_fill(~there[-1], 0.0).chunk(2, 1)
        return self.out((1 + scale) * torch.cat(ys, 1) + shift)


class Mag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(D))
        self.gates = nn.ModuleList(nn.Linear(2 * D, D) for _ in range(M - 1))
        self.maps = nn.ModuleList(nn.Linear(D, D, bias=False) for _ in range(M - 1))
        self.norm = nn.LayerNorm(D)
        self.dropout = nn.Dropout(0.5)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        t, *others = zeroed(xs, there)
        push = self.bias
        for gate, to_t, x in zip(self.gates, self.maps, others, strict=True):
            push = push + gate(torch.cat([x, t], 1)).relu() * to_t(x)
        push = push.masked_fill(~torch.cat(there[1:], 1).any(1, keepdim=True), 0.0)
        room = t.norm(dim=1, keepdim=True) / (push.norm(dim=1, keepdim=True) + 1e-6)
        out = self.dropout(self.norm(t + room.clamp(max=1.0) * push))
        return out.masked_fill(~torch.cat(there, 1).any(1, keepdim=True), 0.0)


class Moe(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [D] * M + [M * D]
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 128)) for d in widths
        )
        self.router = nn.Linear(M * D, M + 1)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        xs = zeroed(xs, there)
        joint, present = torch.cat(xs, 1), torch.cat(there, 1)
        said = torch.stack([expert(x) for expert, x in zip(self.experts, [*xs, joint], strict=True)], 1)
        gates = masked_softmax(self.router(joint), torch.cat([present, present.any(1, keepdim=True)], 1))
        return torch.einsum("be,bed->bd", gates, said)


class Tfn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Linear(D, 32) for _ in range(M))
        self.linear = nn.Linear(33**M, 128)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        one = torch.ones(len(xs[0]), 1)
        a, b, c = (
            torch.cat([narrow(x).masked_fill(~p, 0.0), one], 1)
            for narrow, x, p in zip(self.narrow, zeroed(xs, there), there, strict=True)
        )
        tensor = torch.einsum("bi,bj,bk->bijk", a, b, c)
        return self.linear(tensor.flatten(1))


class Interaction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(M * D, 128)
        self.bilinear = nn.ModuleList(nn.Linear(D * D, 128, bias=False) for _ in combinations(range(M), 2))

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        xs = zeroed(xs, there)
        h = self.linear(torch.cat(xs, 1))
        for bilinear, (x, y) in zip(self.bilinear, combinations(xs, 2), strict=True):
            h = h + bilinear(torch.einsum("bi,bj->bij", x, y).flatten(1))
        return h

    def take(self, ours: nn.Module) -> None:
        parts = ours.mix.weight.split([M * D] + [D * D] * len(self.bilinear), dim=1)
        self.linear.bias.copy_(ours.mix.bias)
        for linear, part in zip([self.linear, *self.bilinear], parts, strict=True):
            linear.weight.copy_(part)


class Lmf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights, self.bias = nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(128))
        self.factors = nn.ParameterList(torch.randn(4, D + 1, 128) * (D + 1) ** -0.5 for _ in range(M))

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        one, product = torch.ones(len(xs[0]), 1), 1.0
        for x, factor in zip(zeroed(xs, there), self.factors, strict=True):
            product = product * torch.matmul(torch.cat([x, one], 1), factor)  # (R, B, D)
        return torch.einsum("r,rbd->bd", self.weights, product) + self.bias

    def take(self, ours: nn.Module) -> None:
        self.weights.copy_(ours.weights)
        self.bias.copy_(ours.bias)
        for mine, linear in zip(self.factors, ours.factors.values(), strict=True):
            mine.copy_(torch.cat([linear.weight, linear.bias[:, None]], 1).view(4, 128, D + 1).transpose(1, 2))


class Factors(nn.Module):
    """A product of what is made of each modality; absent ones are 1."""

    def __init__(self, maps: list[nn.Module]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(maps)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        product = 1.0
        for to_factor, x, p in zip(self.maps, zeroed(xs, there), there, strict=True):
            product = product * to_factor(x).masked_fill(~p, 1.0)
        return product


class Mlb(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factors = Factors([nn.Sequential(nn.Linear(D, 256), nn.Tanh()) for _ in range(M)])
        self.out = nn.Linear(256, 128)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        return self.out(self.factors(xs, there))


class Mutan(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factors = Factors([nn.Sequential(nn.Linear(D, 128), nn.Tanh(), nn.Linear(128, 5 * 128)) for _ in range(M)])
        self.out = nn.Linear(128, 128)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        return self.out(self.factors(xs, there).view(-1, 5, 128).sum(1))


class Mfb(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factors = Factors([nn.Linear(D, 128 * 5) for _ in range(M)])
        self.dropout = nn.Dropout(0.1)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        return power_norm(self.dropout(self.factors(xs, there)).view(-1, 128, 5).sum(2))


class Mfh(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factors = Factors([nn.Linear(D, 128 * 5) for _ in range(M)])
        self.dropout = nn.Dropout(0.1)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        first, second = self.dropout(self.factors(xs, there)).view(-1, 2, 64, 5).unbind(1)
        return torch.cat([power_norm(first.sum(2)), power_norm((second * first).sum(2))], 1)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(D, 320) for _ in range(M))
        self.second = nn.ParameterList(torch.randn(20, 16, 240) / 4 for _ in range(M))
        self.biases = nn.ParameterList(torch.randn(20, 240) / 4 for _ in range(M))
        self.out = nn.Linear(320, 128)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        product = 1.0
        parts = zip(self.first, self.second, self.biases, zeroed(xs, there), there, strict=True)
        for first, second, bias, x, p in parts:
            chunks = torch.einsum("bci,cio->bco", first(x).view(-1, 20, 16), second) + bias
            product = product * chunks.masked_fill(~p.unsqueeze(2), 1.0)
        return self.out(power_norm(product.view(-1, 20, 15, 16).sum(2)).flatten(1))

    def take(self, ours: nn.Module) -> None:
        for k, (first, second) in enumerate(ours.factors.maps.values()):
            self.first[k].load_state_dict(first.state_dict())
            self.second[k].copy_(second.weight)
            self.biases[k].copy_(second.bias)
        self.out.load_state_dict(ours.read.state_dict())


class Mcb(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("places", torch.randint(2048, (M, D)))
        self.register_buffer("signs", torch.randint(2, (M, D)) * 2.0 - 1)
        self.out = nn.Linear(2048, 128)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        product = 1.0
        for x, place, sign, p in zip(zeroed(xs, there), self.places, self.signs, there, strict=True):
            sketch = torch.zeros(len(x), 2048).index_add(1, place, x * sign)
            product = product * torch.fft.rfft(sketch).masked_fill(~p, 1.0)
        z = torch.fft.irfft(product, n=2048)
        floor = 8 * torch.finfo(z.dtype).eps * z.detach().abs().amax(1, keepdim=True)
        return self.out(power_norm(z.masked_fill(z.abs() <= floor, 0.0)))

    def take(self, ours: nn.Module) -> None:
        self.places.copy_(ours.places.view(M, D) % 2048)
        self.signs.copy_(ours.signs.view(M, D))
        self.out.load_state_dict(ours.read.state_dict())


class Misa(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Sequential(nn.Linear(D, 128), nn.LayerNorm(128)) for _ in range(M))
        self.common = nn.Linear(128, 128)
        self.private = nn.ModuleList(nn.Linear(128, 128) for _ in range(M))
        self.decode = nn.Linear(128, 128)
        self.attend = nn.MultiheadAttention(128, 2, bias=False, batch_first=True)
        self.norm = nn.LayerNorm(128)
        self.join = nn.Linear(2 * M * 128, 128)
        self.dropout = nn.Dropout(0.5)

    def forward(self, xs: list[Tensor], there: list[Tensor]) -> tuple[Tensor, Tensor]:
        u = [project(x) for project, x in zip(self.project, zeroed(xs, there), strict=True)]
        c = [self.common(x).sigmoid() for x in u]
        p = [private(x).sigmoid() for private, x in zip(self.private, u, strict=True)]
        h = torch.stack(c + p, 1)
        twice = torch.cat(there + there, 1)
        seen = twice | ~twice.any(1, keepdim=True)
        h = self.norm(h + self.attend(h, h, h, key_padding_mask=~seen, need_weights=False)[0])
        h = h.masked_fill(~twice.unsqueeze(-1), 0.0)
        return self.join(self.dropout(h.flatten(1))).relu(), self.losses(u, c, p, there)

    def losses(self, u: list[Tensor], c: list[Tensor], p: list[Tensor], rows: list[Tensor]) -> Tensor:
        similar = [self.cmd(c[i], c[j], rows[i], rows[j]) for i, j in combinations(range(M), 2)]
        counts = [bool(rows[i].sum() > 1 and rows[j].sum() > 1) for i, j in combinations(range(M), 2)]
        similarity = sum(s * k for s, k in zip(similar, counts, strict=True)) / max(1, sum(counts))
        pairs = [(c[m], p[m], rows[m], rows[m]) for m in range(M)]
        pairs += [(p[i], p[j], rows[i], rows[j]) for i, j in combinations(range(M), 2)]
        difference = sum(self.diff(*pair) for pair in pairs) / len(pairs)
        errors = [(self.decode(c[m] + p[m]) - u[m]).square().mean(1, keepdim=True) for m in range(M)]
        wrong = sum((e.masked_fill(~r, 0.0)).sum() for e, r in zip(errors, rows, strict=True))
        return similarity + 0.3 * difference + wrong / sum(r.sum() for r in rows).clamp(min=1)

    @staticmethod
    def centred(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.masked_fill(~rows, 0.0).sum(0) / rows.sum().clamp(min=1)
        return (x - mean).masked_fill(~rows, 0.0), mean

    def cmd(self, x: Tensor, y: Tensor, here: Tensor, there: Tensor) -> Tensor:
        (x, mean_x), (y, mean_y) = self.centred(x, here), self.centred(y, there)
        n, m = here.sum().clamp(min=1), there.sum().clamp(min=1)
        distance = (mean_x - mean_y).norm()
        for k in range(2, 6):
            distance = distance + ((x**k).sum(0) / n - (y**k).sum(0) / m).norm()
        return distance

    def diff(self, x: Tensor, y: Tensor, here: Tensor, there: Tensor) -> Tensor:
        x, y = self.centred(x, here)[0], self.centred(y, there)[0]
        x = x / (x.norm(dim=1, keepdim=True).detach() + 1e-6)
        y = y / (y.norm(dim=1, keepdim=True).detach() + 1e-6)
        return (x.T @ y).square().mean()

    def take(self, ours: nn.Module) -> None:
        for mine, other in zip(self.project, ours.project.values(), strict=True):
            mine.load_state_dict(other.state_dict())
        for mine, other in zip(self.private, ours.private.values(), strict=True):
            mine.load_state_dict(other[0].state_dict())
        self.common.load_state_dict(ours.common[0].state_dict())
        for name, other in (("decode", ours.decode), ("norm", ours.norm), ("join", ours.join[1])):
            getattr(self, name).load_state_dict(other.state_dict())
        self.attend.in_proj_weight.copy_(ours.ask.weight)
        self.attend.out_proj.weight.copy_(ours.answer.weight)


# ---- of decisions: xs are logits (B, C) of each modality


class Decision(nn.Module):
    def forward(self, xs: list[Tensor], there: list[Tensor]) -> Tensor:
        logs = torch.stack(zeroed(xs, there), 1).log_softmax(2)
        present = torch.cat(there, 1)
        return self.decided(logs, present).masked_fill(~present.any(1, keepdim=True), 0.0)


class Average(Decision):
    def decided(self, logs: Tensor, present: Tensor) -> Tensor:
        total = logs.exp().masked_fill(~present.unsqueeze(-1), 0.0).sum(1)
        return (total / present.sum(1, keepdim=True).clamp(min=1)).clamp(min=1e-30).log()


class Product(Decision):
    def decided(self, logs: Tensor, present: Tensor) -> Tensor:
        return logs.masked_fill(~present.unsqueeze(-1), 0.0).sum(1).log_softmax(1)


class Maximum(Decision):
    def decided(self, logs: Tensor, present: Tensor) -> Tensor:
        return logs.masked_fill(~present.unsqueeze(-1), -1e9).amax(1).log_softmax(1)


# ---- of steps: xs (B, T, D) each, masks (B, T) each


def sinusoids(steps: int, dim: int) -> Tensor:
    waves = torch.arange(steps)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([waves.sin(), waves.cos()], 2).flatten(1)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


class Space(nn.Module):
    """Steps of each modality in one space, with positions."""

    def __init__(self, dim: int, positions: bool = True) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(D, dim) for _ in range(M))
        self.positions = positions

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        hidden = [~mask.unsqueeze(-1) for mask in masks]
        hs = [to_space(x.masked_fill(h, 0.0)) for to_space, x, h in zip(self.maps, xs, hidden, strict=True)]
        hs = [h + sinusoids(*h.shape[1:]) if self.positions else h for h in hs]
        return [h.masked_fill(none, 0.0) for h, none in zip(hs, hidden, strict=True)]


class CrossBlock(nn.Module):
    """x + attention(LN x, LN source), and on that x + feedforward(LN x); of one argument, among themselves."""

    def __init__(self, dim: int, heads: int, units: int, cross: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.norm_source = nn.LayerNorm(dim) if cross else None
        self.attend = nn.MultiheadAttention(dim, heads, 0.1, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.feed = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, units),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(units, dim),
            nn.Dropout(0.1),
        )

    def forward(self, x: Tensor, source: Tensor | None, mask: Tensor) -> Tensor:
        """`mask` (B, S), True where a step of the source, or of x, is real."""
        query = self.norm(x)
        key = query if source is None else self.norm_source(source)
        anything = mask.any(1)[:, None, None]
        hidden = ~(mask | ~anything.squeeze(-1))  # softmax over nothing would be NaN
        read, _ = self.attend(query, key, key, key_padding_mask=hidden, need_weights=False)
        x = x + self.drop(read.masked_fill(~anything, 0.0))
        return x + self.feed(x)


class AttentionSteps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.space = Space(128, positions=False)
        self.first, self.second = nn.Linear(128, 64), nn.Linear(64, 1, bias=False)

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        h = torch.cat(self.space(xs, masks), 1)
        weights = masked_softmax(self.second(self.first(h).tanh()).squeeze(-1), torch.cat(masks, 1))
        return torch.einsum("bs,bsd->bd", weights, h)


class CrossAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.space = Space(64)
        self.blocks = nn.ModuleList(CrossBlock(64, 4, 128, cross=True) for _ in range(M))
        self.norm = nn.LayerNorm(64)

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        hs = self.space(xs, masks)
        pooled = []
        for m in range(M):
            others = [k for k in range(M) if k != m]
            source, mask = torch.cat([hs[k] for k in others], 1), torch.cat([masks[k] for k in others], 1)
            pooled.append(masked_mean(self.norm(self.blocks[m](hs[m], source, mask)), masks[m]))
        return masked_mean(torch.stack(pooled, 1), torch.stack([mask.any(1) for mask in masks], 1))


class Bottleneck(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(4, 64) * 0.02)
        self.space = Space(64)
        self.blocks = nn.ModuleList(
            nn.ModuleList(CrossBlock(64, 4, 128, cross=False) for _ in range(3)) for _ in range(M)
        )
        self.norm = nn.LayerNorm(64)

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        hs = self.space(xs, masks)
        present = torch.stack([mask.any(1) for mask in masks], 1)  # (B, M)
        shared = self.tokens.expand(len(present), -1, -1)
        with_tokens = [torch.cat([mask, torch.ones(len(mask), 4, dtype=torch.bool)], 1) for mask in masks]
        hs = [self.blocks[m][0](hs[m], None, masks[m]) for m in range(M)]
        for layer in (1, 2):
            both = [self.blocks[m][layer](torch.cat([hs[m], shared], 1), None, with_tokens[m]) for m in range(M)]
            hs = [h[:, :-4] for h in both]
            written = torch.stack([h[:, -4:] for h in both], 1).masked_fill(~present[:, :, None, None], 0.0)
            mean = written.sum(1) / present.sum(1).clamp(min=1)[:, None, None]
            shared = torch.where(present.any(1)[:, None, None], mean, shared)
        pooled = torch.stack([masked_mean(self.norm(h), mask) for h, mask in zip(hs, masks, strict=True)], 1)
        return masked_mean(pooled, present)


class EarlyTokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(64) * 0.02)
        self.space = Space(64)
        self.blocks = nn.ModuleList(CrossBlock(64, 4, 128, cross=False) for _ in range(2))
        self.norm = nn.LayerNorm(64)

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        h = torch.cat([self.token.expand(len(xs[0]), 1, -1), *self.space(xs, masks)], 1)
        mask = F.pad(torch.cat(masks, 1), (1, 0), value=True)
        for block in self.blocks:
            h = block(h, None, mask)
        return self.norm(h)[:, 0]


class Perceiver(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(16, 64) * 0.02)
        self.space = Space(64)
        self.blocks = nn.ModuleList()
        for _ in range(2):
            self.blocks += [CrossBlock(64, 1, 128, cross=True), CrossBlock(64, 4, 128, cross=False)]
        self.out = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64))

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        h, mask = torch.cat(self.space(xs, masks), 1), torch.cat(masks, 1)
        latents = self.latents.expand(len(h), -1, -1)
        everyone = torch.ones(latents.shape[:2], dtype=torch.bool)
        for read, think in (self.blocks[:2], self.blocks[2:]):
            latents = think(read(latents, h, mask), None, everyone)
        return self.out(latents.mean(1))


class Mult(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(D, 40, 1) for _ in range(M))
        self.streams, self.stream_norms = nn.ModuleList(), nn.ModuleList()
        self.memories, self.memory_norms = nn.ModuleList(), nn.ModuleList()
        for _ in range(M):
            for _ in range(M - 1):
                self.streams.append(nn.ModuleList(CrossBlock(40, 8, 160, cross=True) for _ in range(4)))
                self.stream_norms.append(nn.LayerNorm(40))
            self.memories.append(nn.ModuleList(CrossBlock(80, 8, 320, cross=False) for _ in range(3)))
            self.memory_norms.append(nn.LayerNorm(80))
        self.first, self.second = nn.Linear(240, 240), nn.Linear(240, 240)
        self.dropout = nn.Dropout(0.1)

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        hs = []
        for conv, x, mask in zip(self.convolutions, xs, masks, strict=True):
            hidden = ~mask.unsqueeze(-1)
            h = conv(x.masked_fill(hidden, 0.0).transpose(1, 2)).transpose(1, 2)
            hs.append((h * 40**0.5 + sinusoids(*h.shape[1:])).masked_fill(hidden, 0.0))
        pooled = []
        for target in range(M):
            told = []
            for k, source in enumerate(m for m in range(M) if m != target):
                h = hs[target]
                for block in self.streams[target * (M - 1) + k]:
                    h = block(h, hs[source], masks[source])
                told.append(self.stream_norms[target * (M - 1) + k](h))
            h = torch.cat(told, -1)
            for block in self.memories[target]:
                h = block(h, None, masks[target])
            pooled.append(masked_mean(self.memory_norms[target](h), masks[target]))
        y = torch.cat(pooled, 1)
        return y + self.second(self.dropout(self.first(y).relu()))

    def take(self, ours: nn.Module) -> None:
        pairs = [(stream, k) for streams in ours.streams.values() for k, stream in enumerate(streams.values())]
        for mine, norm, (other, _) in zip(self.streams, self.stream_norms, pairs, strict=True):
            copied(other.blocks, mine)
            copied(other.norm, norm)
        for mine, norm, other in zip(self.memories, self.memory_norms, ours.memories.values(), strict=True):
            copied(other.blocks, mine)
            copied(other.norm, norm)
        copied(ours.convolutions, self.convolutions)
        for k, linear in ((0, self.first), (3, self.second)):
            copied(ours.residual[k], linear)


class Early(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(M * D, 128, batch_first=True)
        self.dropout = nn.Dropout(0.5)

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        x = torch.cat([x.masked_fill(~mask.unsqueeze(-1), 0.0) for x, mask in zip(xs, masks, strict=True)], 2)
        real = torch.stack(masks).any(0)
        lengths = (real * torch.arange(1, real.shape[1] + 1)).amax(1).clamp(min=1)
        _, (h, _) = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.dropout(h[-1])


class Mfn(nn.Module):
    """All of it in one loop over the steps, as the equations have it."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList(nn.LSTMCell(D, 64) for _ in range(M))
        wide = 2 * M * 64
        sizes = [(wide, wide), (wide, 64), (wide + 64, 64), (wide + 64, 64), (wide // 2 + 64, 64)]
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(a, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, b)) for a, b in sizes
        )

    def forward(self, xs: list[Tensor], masks: list[Tensor]) -> Tensor:
        attend, propose, keep, write, out = self.networks
        xs = [x.masked_fill(~mask.unsqueeze(-1), 0.0) for x, mask in zip(xs, masks, strict=True)]
        h = [torch.zeros(len(xs[0]), 64)] * M
        c = [torch.zeros(len(xs[0]), 64)] * M
        u = torch.zeros(len(xs[0]), 64)
        for t in range(xs[0].shape[1]):
            before = c
            real = [mask[:, t, None] for mask in masks]
            new = [cell(x[:, t], (h[m], c[m])) for m, (cell, x) in enumerate(zip(self.cells, xs, strict=True))]
            h = [torch.where(real[m], new[m][0], h[m]) for m in range(M)]
            c = [torch.where(real[m], new[m][1], c[m]) for m in range(M)]
            both = torch.cat([*before, *c], 1)
            heard = attend(both).softmax(1) * both
            read = torch.cat([heard, u], 1)
            after = keep(read).sigmoid() * u + write(read).sigmoid() * propose(heard).tanh()
            u = torch.where(torch.stack(real).any(0), after, u)
        return out(torch.cat([*h, u], 1))


# ---- the same weights in both


def copied(ours: nn.Module, rival: nn.Module) -> None:
    """Into the rival: its attentions' in their order, and all else in its order, which has to be of the same shapes."""
    from mmfuse.fusion.blocks import Attention as Ours

    attentions = [part for part in ours.modules() if isinstance(part, Ours)]
    theirs = [part for part in rival.modules() if isinstance(part, nn.MultiheadAttention)]
    for other, mine in zip(attentions, theirs, strict=True):
        take_attention(other, mine)
    done = {id(p) for part in (*attentions, *theirs) for p in part.parameters()}
    rest = [[p for p in module.parameters() if id(p) not in done] for module in (ours, rival)]
    for p, q in zip(*rest, strict=True):
        assert p.shape == q.shape
        q.copy_(p)


def take_attention(ours: nn.Module, rival: nn.MultiheadAttention) -> None:
    zeros = torch.zeros_like(ours.query.bias)  # its keys have no bias
    rival.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
    rival.in_proj_bias.copy_(torch.cat([ours.query.bias, zeros, ours.value.bias]))
    rival.out_proj.load_state_dict(ours.out.state_dict())


RIVALS: dict[str, type[nn.Module]] = {
    "attention": Attention,
    "attention_steps": AttentionSteps,
    "average": Average,
    "block": Block,
    "bottleneck": Bottleneck,
    "concat": Concat,
    "cross_attention": CrossAttention,
    "deep": Deep,
    "early": Early,
    "early_tokens": EarlyTokens,
    "film": Film,
    "gated": Gated,
    "interaction": Interaction,
    "lmf": Lmf,
    "mag": Mag,
    "maximum": Maximum,
    "mcb": Mcb,
    "mean": Mean,
    "mfb": Mfb,
    "mfh": Mfh,
    "mfn": Mfn,
    "misa": Misa,
    "mlb": Mlb,
    "moe": Moe,
    "mult": Mult,
    "mutan": Mutan,
    "perceiver": Perceiver,
    "product": Product,
    "sigmoid_gate": SigmoidGate,
    "sum": Sum,
    "tfn": Tfn,
    "weighted": Weighted,
}
STEPS = {"attention_steps", "bottleneck", "cross_attention", "early", "early_tokens", "mfn", "mult", "perceiver"}


@torch.no_grad()
def rival_of(name: str, ours: nn.Module) -> nn.Module:
    """With the weights of ours."""
    rival = RIVALS[name]()
    if hasattr(rival, "take"):
        rival.take(ours)
    else:
        copied(ours, rival)
    return rival
