"""What is absent stays absent, behind its mask."""

from collections.abc import Mapping

from mmfuse.types import Completion


class Uncompleted(Completion):
    def __init__(self, dims: Mapping[str, int]):
        super().__init__(dims)
