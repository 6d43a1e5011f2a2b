"""What is absent stays absent, behind its mask."""

from mmfuse.types import Completion


class Uncompleted(Completion): ...
