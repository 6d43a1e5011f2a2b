"""Reconstruction of each modality's code from each other's.

For all ordered pairs, "reconstruction/audio-text" the text's from the audio's: the mean of (D_ab(z_a) - z_b)^2 over
rows and features, D_ab linear or with one hidden layer (Ngiam et al., Multimodal Deep Learning, ICML 2011, with codes
in place of raw inputs; https://icml.cc/2011/papers/399_icmlpaper.pdf).

With `detach` the code that is to be told learns nothing by it. Without, it does, too, and codes can come to be easily
told by saying nothing, which a task's loss has to prevent.
It counts the rows that have both modalities; without any, it is 0.
"""

from collections.abc import Mapping
from itertools import permutations

from mmfuse.objectives.pairs import checked, several
from mmfuse.objectives.translator import Translator, both, error
from mmfuse.types import Batch, Losses, Objective, Outputs, Parts


class Reconstruction(Objective):
    def __init__(self, dims: Mapping[str, int], hidden: int | None = None, detach: bool = True, weight: float = 1.0):
        super().__init__()
        self.pairs, self.detach, self.weight = list(permutations(several(dims), 2)), detach, checked(weight)
        self.tell = Parts({f"{a}-{b}": Translator(dims[a], dims[b], hidden) for a, b in self.pairs})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"reconstruction/{a}-{b}" for a, b in self.pairs)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        losses: Losses = {}
        for a, b in self.pairs:
            x, y = both(outputs.encoded[a], outputs.encoded[b])  # (n, d), (n, e)
            said = self.tell[f"{a}-{b}"](x)  # (n, e)
            losses[f"reconstruction/{a}-{b}"] = self.weight * error(said, y.detach() if self.detach else y)
        return losses
