"""OGM-GE slows down the encoder whose modality is ahead of the others, and shakes the encoders with noise.

s_m is the mean probability that the model gives a row's right class when it hears modality m alone, and rho_m is s_m
over the mean of the other modalities' s. Where rho_m > 1, the gradient of encoder m is multiplied by
k_m = 1 - tanh(alpha rho_m), elsewhere by 1 (on-the-fly gradient modulation). What SGD's own noise loses by that is
given back: every gradient of an encoder gets Gaussian noise of the deviation that it had before it was slowed down
(generalization enhancement). Peng et al., Balanced Multimodal Learning via On-the-fly Gradient Modulation, CVPR 2022,
https://arxiv.org/abs/2203.15332, whose alpha is .8 on CREMA-D and .1 on VGGSound.

The paper has two modalities, and one of them is slowed; among more, those above the mean of the others are. Its code
slows four-dimensional weights only; here it is all that lies before an encoder's output. In a late model the noise
also reaches the heads that a modality has for itself.

A row counts for the modalities it has. Where nothing can be compared, nothing is slowed.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmfuse import masks
from mmfuse.balance.others import mean_of_others
from mmfuse.balance.ranks import total_over_ranks
from mmfuse.tasks.chosen import chosen
from mmfuse.types import Balancer, Step, Task


class OgmGe(Balancer):
    surgery = True  # the noise is measured by whole gradients

    def __init__(
        self,
        tasks: Mapping[str, Task],
        task: str | None = None,
        alpha: float = 0.1,
        noise: bool = True,
        start: int = 0,
        stop: int = 50,
    ):
        """`task` tells who is ahead, None for the first of classes; epochs from `start` to before `stop` count."""
        super().__init__()
        if alpha < 0:
            raise ValueError(f"alpha={alpha}: at least 0 is needed")
        self.task, self.alpha, self.noise = chosen(tasks, task, "ogm_ge"), alpha, noise
        self.start, self.stop = start, stop
        self.handles: list[RemovableHandle] = []

    def forward(self, step: Step) -> Tensor:
        for handle in self.handles:  # of parameters that the last step did not reach
            handle.remove()
        self.handles.clear()
        if self.start <= step.epoch < self.stop:
            for (m, signal), k in zip(step.outputs.encoded.items(), slowed(self.scores(step), self.alpha), strict=True):
                if signal.data.requires_grad:
                    signal.data.register_hook(lambda g, k=k: k * g)
                if self.noise:
                    for p in step.parts.get(m, ()):
                        self.shake(p, k)
        return torch.stack(list(step.losses.values())).sum()

    @torch.no_grad()
    def scores(self, step: Step) -> Float[Tensor, " M"]:
        """The mean probability of the right class, by modality; NaN where no row tells."""
        encoded, target = step.outputs.encoded, step.batch.targets[self.task]  # (B,)
        sums, counts = [], []
        for m, signal in encoded.items():
            p = step.outputs.predict(masks.keep(encoded, {m}))[self.task].float().softmax(dim=1)  # (B, K)
            tells = signal.present & (target >= 0)
            right = p.gather(1, target.clamp(min=0)[:, None])[:, 0]
            sums.append(right.masked_fill(~tells, 0.0).sum())
            counts.append(tells.sum())
        total = total_over_ranks(torch.stack([torch.stack(sums), torch.stack(counts).float()]))
        return total[0] / total[1]

    def shake(self, p: nn.Parameter, k: Tensor) -> None:
        """At the next backward pass, and only then, noise is added to the gradient that reaches `p` slowed by `k`."""

        def shaken(g: Tensor) -> Tensor:
            handle.remove()
            return torch.addcmul(g, g.std(correction=0) / k, torch.randn_like(g))

        handle = p.register_hook(shaken)
        self.handles.append(handle)


def slowed(scores: Float[Tensor, " M"], alpha: float) -> Float[Tensor, " M"]:
    """The factors on the encoders' gradients. None is quite 0, so that the noise knows what was slowed.

    >>> slowed(torch.tensor([0.6, 0.3]), alpha=0.5)  # 1 - tanh(0.5 x 2)
    tensor([0.2384, 1.0000])
    """
    ratio = scores / mean_of_others(scores)
    return torch.where(ratio > 1, 1 - torch.tanh(alpha * ratio), 1.0).clamp(min=1e-4)
