"""What is said of several batches, as one."""

from collections.abc import Sequence

import torch

from mmfuse.types import Units


def joined(parts: Sequence[Units]) -> Units:
    """One after another."""
    return Units(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
