"""An absent modality's code, predicted from the modalities that are there: the mean of what each of them foretells.

code_m = mean over present k of f_km(code_k), a code being the mean of a modality's real steps, f_km a linear map, or
one with a hidden layer. f_km is fitted on the rows of each batch that have both, by the mean square of its error:
regression imputation in the space of codes (van Buuren, Flexible Imputation of Missing Data, 2018, 1.3.4,
https://stefvanbuuren.name/fimd/). Tran et al., Missing Modalities Imputation via Cascaded Residual Autoencoder, CVPR
2017, https://openaccess.thecvf.com/content_cvpr_2017/html/Tran_Missing_Modalities_Imputation_CVPR_2017_paper.html, have
one autoencoder for all. That error changes no encoder, which could make codes alike to be foretold, and no other loss
changes a map: it stays a regression, with linear maps a least-squares one.

An absent modality is one step from there on, present to whatever fuses. A row that has nothing gets nothing.
Parameters: sum over ordered pairs of (d_k + 1) d_m, or of (d_k + 1) hidden + (hidden + 1) d_m.
"""

import torch
from torch import nn

from mmfuse.completion.place import placed
from mmfuse.types import Completion, Losses, Parts, Signals


class Regressor(Completion):
    names = ("regression",)

    def __init__(self, dims: dict[str, int], hidden: int = 0, weight: float = 1.0):
        """`hidden` 0 is a linear map; `weight` is that of the maps' error among the losses."""
        super().__init__(dims)
        if hidden < 0 or weight < 0:
            raise ValueError(f"hidden={hidden}, weight={weight}: at least 0 is needed")
        self.weight = weight
        self.maps = Parts({m: Parts({k: made(dims[k], hidden, dims[m]) for k in dims if k != m}) for m in dims})

    def forward(self, signals: Signals) -> Signals:
        codes = {m: signal.pooled().detach() for m, signal in signals.items()}  # (B, D) each
        found: Signals = {}
        for m, signal in signals.items():
            others = [k for k in signals if k != m]
            if not others:
                return signals
            there = torch.stack([signals[k].present for k in others], dim=1)  # (B, M - 1)
            with torch.no_grad():
                told = torch.stack([self.maps[m][k](codes[k]) for k in others], dim=1)  # (B, M - 1, D)
            mean = told.masked_fill(~there.unsqueeze(-1), 0.0).sum(dim=1) / there.sum(dim=1, keepdim=True).clamp(min=1)
            found[m] = placed(signal, mean, ~signal.present & there.any(dim=1))
        return found

    def losses(self, signals: Signals) -> Losses:
        """The mean over ordered pairs, of those that a row has, of the mean square of what a map gets wrong."""
        codes = {m: signal.pooled().detach().float() for m, signal in signals.items()}
        errors = []
        for m in self.maps:
            for k in self.maps[m]:
                both = signals[m].present & signals[k].present  # (B,)
                error = (self.maps[m][k](codes[k]).float() - codes[m]).square().mean(dim=1)  # (B,)
                errors.append((error.masked_fill(~both, 0.0).sum() / both.sum().clamp(min=1), both.any()))
        if not errors:
            return {}
        each, counts = (torch.stack(parts) for parts in zip(*errors, strict=True))  # (M (M - 1),) each
        return {"regression": self.weight * each.sum() / counts.sum().clamp(min=1)}


def made(size: int, hidden: int, dim: int) -> nn.Module:
    if not hidden:
        return nn.Linear(size, dim)
    return nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, dim))
