"""The tasks are learned from some modalities, and tested on the others.

Labels reach the `source` alone. What the others' encoders learn, they learn from objectives, such as contrastive
alignment with the source, which need no labels; without any, what comes out is chance. The best epoch is told by the
source's validation rows, since labels of the target would not be there.
"""

from collections.abc import Sequence

from mmfuse.types import Phase, Schedule


class Transfer(Schedule):
    """
    >>> Transfer(["audio", "image", "text"], source=["text"])(0, step=0).modalities
    ('text',)
    """

    watched = "source"
    tested = "target"

    def __init__(self, modalities: Sequence[str], source: Sequence[str], target: Sequence[str] | None = None):
        """`target` is None for all that are not the source."""
        target = [m for m in modalities if m not in source] if target is None else target
        if unknown := [m for m in (*source, *target) if m not in modalities]:
            raise ValueError(f"there is no modality {unknown}; there are {list(modalities)}")
        if not source or not target:
            raise ValueError(
                f"source={list(source)}, target={list(target)}: each needs at least one of {list(modalities)}"
            )
        self.views = {"source": tuple(source), "target": tuple(target)}

    def __call__(self, epoch: int, step: int) -> Phase:
        return Phase(modalities=tuple(self.views["source"]))
