"""Model-level (late) fusion: every modality predicts every task by itself, and the predictions are fused.

What is fused are logits, before any softmax. Where the fusion's width is the task's own (mean and weighted, by
default), the fused logits are the prediction; otherwise a linear layer reads it off.
"""

from collections.abc import Callable, Mapping

from torch import nn

from mmfuse.tasks.multiclass import Multiclass
from mmfuse.types import Completion, Encoder, Fusion, Model, Parts, Read, Signal, Signals, Task


class LateFusion(Model):
    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        tasks: Mapping[str, Task],
        fusion: Callable[..., Fusion],
        completion: Callable[..., Completion] = Completion,
    ):
        super().__init__(encoders, completion)
        if others := [t for t, task in tasks.items() if task.of is not None or task.between]:
            raise ValueError(f"votes are taken on whole rows, which the task '{others[0]}' is not about: model=feature")
        votes = {t: fusion(dims=dict.fromkeys(encoders, task.size)) for t, task in tasks.items()}
        for t, task in tasks.items():
            if votes[t].decides and not isinstance(task, Multiclass):
                raise ValueError(
                    f"{type(votes[t]).__name__} fuses decisions for one class of several, which the task '{t}' does not"
                    " ask for: fusion=mean or fusion=weighted"
                )
            if (
                votes[t].replaces
                and isinstance(task, Multiclass)
                and (task.weights is not None or task.gamma or task.smoothing)
            ):
                raise ValueError(
                    f"{type(votes[t]).__name__} has a loss of its own, which weights by class, the focal loss and label"
                    " smoothing do not reach: imbalance=oversample, label_smoothing=0"
                )
        self.fusion = Parts(votes)
        self.heads = Parts(
            {m: Parts({t: nn.Linear(d, k.size) for t, k in tasks.items()}) for m, d in self.completion.dims.items()}
        )
        self.verdict = Parts(
            {t: nn.Identity() if votes[t].dim == k.size else nn.Linear(votes[t].dim, k.size) for t, k in tasks.items()}
        )

    def parts(self) -> dict[str, list[nn.Module]]:
        """A modality's heads are its own."""
        own = {m: [encoder, self.heads[m]] for m, encoder in self.encoders.items()}
        return own | {"completion": [self.completion], "fusion": [self.fusion], "heads": [self.verdict]}

    def read(self, encoded: Signals) -> Read:
        heard = self.completion(encoded)

        def votes(task: str) -> Signals:
            heads = {m: self.heads[m][task] for m in heard}
            return {m: Signal.vector(heads[m](s.pooled()), s.present) for m, s in heard.items()}

        fused = {t: self.fusion[t].fuse(votes(t)) for t in self.verdict}
        return Read(
            {t: verdict(fused[t].signal.pooled()) for t, verdict in self.verdict.items()},
            {f"{name}-{t}": loss for t, each in fused.items() for name, loss in each.losses.items()},
            {t: each.weights for t, each in fused.items() if each.weights is not None},
            lessons={t: each.lesson for t, each in fused.items() if each.lesson is not None},
        )
