"""Cyclic translation (MCTN) of one modality's code into another's, and of what comes out back again.

For the ordered pair (a, b), "cycle/audio-text" from audio to text and back: 0.1 times the mean of (D_ab(z_a) - z_b)^2,
and 0.1 times that of (D_ba(D_ab(z_a)) - z_a)^2. Pham et al., Found in Translation, AAAI 2019,
https://arxiv.org/abs/1812.07809, whose joint representation is the source's code: a model that has learned this way is
to be asked with schedule=transfer, from the source alone. There, sequences of features are translated by recurrent
networks; here, the codes of encoders are. The targets, given features there, learn nothing by it.

`source` names the modality that is translated; without, each is. A map is shared by all cycles that need it.
It counts the rows that have both modalities; without any, it is 0.
"""

from collections.abc import Mapping
from itertools import permutations

from mmfuse.objectives.pairs import checked, several
from mmfuse.objectives.translator import Translator, both, error
from mmfuse.types import Batch, Losses, Objective, Outputs, Parts


class Cycle(Objective):
    def __init__(
        self,
        dims: Mapping[str, int],
        source: str | None = None,
        hidden: int | None = 32,
        forth: float = 0.1,
        back: float = 0.1,
    ):
        """`forth` and `back` are how much the translation and the way back count."""
        super().__init__()
        if source is not None and source not in dims:
            raise ValueError(f"source={source}: there are {list(dims)}")
        self.forth, self.back = checked(forth), checked(back)
        every = list(permutations(several(dims), 2))
        self.pairs = [(a, b) for a, b in every if source in (None, a)]
        needed = [(a, b) for a, b in every if source in (None, a, b)]
        self.translate = Parts({f"{a}-{b}": Translator(dims[a], dims[b], hidden) for a, b in needed})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"cycle/{a}-{b}" for a, b in self.pairs)

    def forward(self, outputs: Outputs, batch: Batch) -> Losses:
        losses: Losses = {}
        for a, b in self.pairs:
            x, y = both(outputs.encoded[a], outputs.encoded[b])  # (n, d), (n, e)
            there = self.translate[f"{a}-{b}"](x)  # (n, e)
            again = self.translate[f"{b}-{a}"](there)  # (n, d)
            losses[f"cycle/{a}-{b}"] = self.forth * error(there, y.detach()) + self.back * error(again, x.detach())
        return losses
