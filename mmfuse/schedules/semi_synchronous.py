"""All modalities are heard at every step, and the encoder of one learns; the others validate.

Which one learns is said by `active`, or all do in turn, `steps` each. The encoders of the others sit still, without
gradients, and what is predicted from them alone is scored on the validation rows; where one modality is active
throughout, that score tells the best epoch.
"""

from collections.abc import Sequence

from mmfuse.types import Phase, Schedule


class SemiSynchronous(Schedule):
    """
    >>> schedule = SemiSynchronous(["audio", "image", "text"], steps=2)
    >>> [schedule(0, step).frozen for step in (0, 1, 2, 4)]
    [('image', 'text'), ('image', 'text'), ('audio', 'text'), ('audio', 'image')]
    """

    def __init__(self, modalities: Sequence[str], active: str | None = None, steps: int = 1):
        if len(modalities) < 2:
            raise ValueError(f"one learns and others validate, but there is {list(modalities)} alone")
        if active is not None and active not in modalities:
            raise ValueError(f"active={active}: there are {list(modalities)}")
        if steps < 1:
            raise ValueError(f"steps={steps}: at least 1 is needed")
        self.modalities, self.active, self.steps = tuple(modalities), active, steps
        if active is None:
            self.views = {m: (m,) for m in modalities}
        else:
            self.views = {"passive": tuple(m for m in modalities if m != active)}
            self.watched = "passive"

    def __call__(self, epoch: int, step: int) -> Phase:
        active = self.active or self.modalities[step // self.steps % len(self.modalities)]
        return Phase(tuple(m for m in self.modalities if m != active))
