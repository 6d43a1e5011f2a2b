"""What a model's encoders say of some rows, computed once, so that it can be asked again about changed rows."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from mmfuse import masks
from mmfuse.types import Batch, Model, Predictions, Signal, Signals, Task

NOTHING: Mapping[str, Tensor] = MappingProxyType({})
NO_STEPS: Mapping[str, int] = MappingProxyType({})


class Encodings:
    """Of N rows, in the batches that they came in: where nothing is changed, the model computes what it always did."""

    def __init__(
        self,
        model: Model,
        batches: Iterable[Batch],
        tasks: Mapping[str, Task],
        hears: Collection[str] | None = None,
    ):
        """The model is to be in evaluation mode. What it says of modalities that are not in `hears` is not heard."""
        self.model, self.tasks = model, tasks
        self.device = next(model.parameters()).device
        self.targets: list[Mapping[str, Tensor]] = []  # batch by batch
        said: dict[str, list[Signal]] = {m: [] for m in model.encoders}
        rows: list[Tensor] = []
        with torch.no_grad():
            for batch in batches:
                encoded = model.encode(moved(batch.signals, self.device))
                for m, signal in (encoded if hears is None else masks.keep(encoded, hears)).items():
                    said[m].append(Signal(signal.data.float().cpu(), signal.mask.cpu()))
                self.targets.append({t: batch.targets[t].cpu() for t in tasks})
                rows.append(batch.rows.cpu())
        if not rows:
            raise ValueError("there are no rows to ask the model about")
        self.rows = torch.cat(rows)  # (N,) rows of the data set
        self.batches = torch.arange(len(self.rows)).split([len(r) for r in rows])
        self.steps = {m: [s.data.shape[1] for s in signals] for m, signals in said.items()}  # of each batch
        self.signals = {m: joined(signals) for m, signals in said.items()}  # of all N rows
        self.lengths = {m: lengths(signal) for m, signal in self.signals.items()}  # (N,) each
        self.present = {m: signal.present for m, signal in self.signals.items()}  # (N,) each

    @property
    def modalities(self) -> list[str]:
        return list(self.signals)

    def at(self, places: Mapping[str, Int[Tensor, " B"]], steps: Mapping[str, int] = NO_STEPS) -> Signals:
        """Rows put together: of each modality, which of the N rows it is taken from.

        They have as many steps as the longest of them, and at least `steps`.
        """
        found = {}
        for m, (data, mask) in self.signals.items():
            long = max(1, steps.get(m, 0), int(self.lengths[m][places[m]].max()))
            found[m] = Signal(data[:, :long].index_select(0, places[m]), mask[:, :long].index_select(0, places[m]))
        return found

    def predict(self, signals: Signals) -> Predictions:
        with torch.no_grad():
            said = self.model.predict(moved(signals, self.device))
        return {t: said[t].float().cpu() for t in self.tasks}

    def answers(
        self, places: Mapping[str, Int[Tensor, " N"]] = NOTHING, shown: Mapping[str, Bool[Tensor, " N"]] = NOTHING
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each task's answers and targets, where modality m of row n is that of row places[m][n] if that is shown.

        Modalities that are not named stay as they are.
        """
        parts: dict[str, list[tuple[Tensor, Tensor]]] = {t: [] for t in self.tasks}
        for number, (rows, targets) in enumerate(zip(self.batches, self.targets, strict=True)):
            taken = {m: places[m][rows] if m in places else rows for m in self.signals}
            signals = self.at(taken, {m: steps[number] for m, steps in self.steps.items()})
            for m, seen in shown.items():
                signals[m] = Signal(signals[m].data, signals[m].mask & seen[rows][:, None])
            for t, prediction in self.predict(signals).items():
                units = self.tasks[t].units(prediction, targets[t])
                parts[t].append((units.prediction, units.target))
        whole = {t: tuple(torch.cat(tensors) for tensors in zip(*found, strict=True)) for t, found in parts.items()}
        return {t: (self.tasks[t].answer(said), target.numpy()) for t, (said, target) in whole.items()}


def moved(signals: Signals, device: torch.device) -> Signals:
    return {m: Signal(signal.data.to(device), signal.mask.to(device)) for m, signal in signals.items()}


def joined(signals: list[Signal]) -> Signal:
    """The rows of one modality, batch after batch, all with as many steps as the longest has."""
    long = max(signal.data.shape[1] for signal in signals)
    short = [long - signal.data.shape[1] for signal in signals]
    data = [F.pad(s.data, (0, 0, 0, n)) for s, n in zip(signals, short, strict=True)]
    mask = [F.pad(s.mask, (0, n), value=False) for s, n in zip(signals, short, strict=True)]
    return Signal(torch.cat(data), torch.cat(mask))


def lengths(signal: Signal) -> Int[Tensor, " N"]:
    """Up to each row's last real step."""
    return (signal.mask * torch.arange(1, signal.mask.shape[1] + 1)).amax(dim=1)
