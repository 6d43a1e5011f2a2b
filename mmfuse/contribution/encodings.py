"""What a model's encoders say of some rows, computed once, so that it can be asked again about changed rows."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from mmfuse.data.columns import Stored
from mmfuse.types import Batch, Model, Predictions, Ragged, Signal, Signals, Task

NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class Encodings:
    """Of N rows, in the batches that they came in: where nothing is changed, the model computes what it always did."""

    def __init__(self, model: Model, batches: Iterable[Batch], tasks: Mapping[str, Task]):
        """The model is to be in evaluation mode."""
        self.model, self.tasks = model, tasks
        self.device = next(model.parameters()).device
        self.targets: list[Mapping[str, Tensor]] = []  # batch by batch
        said: dict[str, list[Signal]] = {m: [] for m in model.encoders}
        rows: list[Tensor] = []
        with torch.no_grad():
            for batch in batches:
                for m, signal in model.encode(moved(batch.signals, self.device)).items():
                    said[m].append(Signal(signal.data.float().cpu(), signal.mask.cpu()))
                self.targets.append({t: batch.targets[t].cpu() for t in tasks})
                rows.append(batch.rows.cpu())
        if not rows:
            raise ValueError("there are no rows to ask the model about")
        self.rows = torch.cat(rows)  # (N,) rows of the data set
        self.batches = torch.arange(len(self.rows)).split([len(r) for r in rows])
        self.columns = {m: stored(signals) for m, signals in said.items()}
        self.steps = {m: [s.data.shape[1] for s in signals] for m, signals in said.items()}  # of each batch
        self.present = {m: torch.cat([s.present for s in signals]) for m, signals in said.items()}  # (N,) each

    @property
    def modalities(self) -> list[str]:
        return list(self.columns)

    def at(self, places: Mapping[str, Int[Tensor, " B"]]) -> Signals:
        """Rows put together: of each modality, which of the N rows it is taken from."""
        return {m: column.batch(places[m]) for m, column in self.columns.items()}

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
            signals = self.at({m: places[m][rows] if m in places else rows for m in self.columns})
            for m, signal in signals.items():
                data, mask = widened(signal, self.steps[m][number])
                signals[m] = Signal(data, mask & shown[m][rows][:, None] if m in shown else mask)
            for t, prediction in self.predict(signals).items():
                units = self.tasks[t].units(prediction, targets[t])
                parts[t].append((units.prediction, units.target))
        joined = {t: tuple(torch.cat(tensors) for tensors in zip(*found, strict=True)) for t, found in parts.items()}
        return {t: (self.tasks[t].answer(said), target.numpy()) for t, (said, target) in joined.items()}


def moved(signals: Signals, device: torch.device) -> Signals:
    return {m: Signal(signal.data.to(device), signal.mask.to(device)) for m, signal in signals.items()}


def stored(signals: list[Signal]) -> Stored:
    """The rows of one modality, batch after batch, each as long as its last real step."""
    data, real, lengths = [], [], []
    for signal in signals:
        steps = torch.arange(1, signal.mask.shape[1] + 1)  # (T,)
        long = (signal.mask * steps).amax(dim=1)  # (B,)
        kept = steps <= long[:, None]  # (B, T)
        data.append(signal.data[kept])  # (S, D)
        real.append(signal.mask[kept])  # (S,)
        lengths.append(long)
    mask = torch.cat(real)
    return Stored(Ragged(torch.cat(data), torch.cat(lengths), None if mask.all() else mask))


def widened(signal: Signal, steps: int) -> Signal:
    """With at least so many steps, as the batch had whose labels they are."""
    short = steps - signal.data.shape[1]
    if short <= 0:
        return signal
    return Signal(F.pad(signal.data, (0, 0, 0, short)), F.pad(signal.mask, (0, short), value=False))
