"""What encoders with pretrained weights have in common: which of them learn, from when on, and at what rate."""

from collections.abc import Sequence

from torch import nn

from mmfuse.types import Encoder


class Pretrained(Encoder):
    """Parts that are held keep their weights, and do not drop out or count statistics: they stay in evaluation mode.

    `unfreeze_at` counts epochs from 0: held parts learn from that one on. None: they never do.
    """

    cost: float = 1.0  # steps that it computes for each step that it reads
    lr: float | None = None  # the learning rate of its weights; None: the optimizer's
    unfreeze_at: int | None = None
    held: Sequence[nn.Module] = ()
    asleep = whole = False

    def hold(
        self, stages: Sequence[nn.Module], freeze: bool | int, unfreeze_at: int | None = None, lr: float | None = None
    ) -> None:
        """To be called once the weights are there. `stages` are its parts in the order in which they compute.

        `freeze` is True for all of them, or the number of stages held behind the first, which embeds: 0 holds that
        alone, and False none.
        """
        if not isinstance(freeze, bool) and not 0 <= freeze < len(stages):
            raise ValueError(f"freeze={freeze}: there are {len(stages) - 1} layers; true holds all, false none")
        if unfreeze_at is not None and (freeze is False or unfreeze_at < 1):
            raise ValueError(f"unfreeze_at={unfreeze_at}: an epoch from 1 on, of what freeze=true or a number holds")
        self.lr, self.unfreeze_at = lr, unfreeze_at
        self.whole = freeze is True
        self.held = list(stages) if freeze is True else [] if freeze is False else list(stages[: freeze + 1])
        self.asleep = False
        self.at_epoch(0)

    @property
    def frozen(self) -> bool:
        """Whether nothing in it ever learns, so that what it says of a row is always the same."""
        return self.whole and self.unfreeze_at is None

    def waiting(self) -> list[nn.Parameter]:
        """What does not learn yet, and will."""
        return [p for stage in self.held for p in stage.parameters()] if self.unfreeze_at is not None else []

    def at_epoch(self, epoch: int) -> None:
        """To be called as each epoch starts."""
        self.asleep = self.unfreeze_at is None or epoch < self.unfreeze_at
        for stage in self.held:
            stage.requires_grad_(not self.asleep)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Pretrained":
        super().train(mode)
        if self.asleep:
            for stage in self.held:
                stage.eval()
        return self
