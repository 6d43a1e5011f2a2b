"""Chance that keeps no state: seeds that are functions of numbers."""

import numpy as np
import torch


def mixed(*numbers: int) -> int:
    """One seed from several numbers, so that neighbours share nothing."""
    return int(np.random.SeedSequence([n % 2**32 for n in numbers]).generate_state(1, np.uint64)[0] >> 1)


def seed_all(seed: int, device: torch.device) -> None:
    """What `torch.manual_seed` does, which notes for each kind of device that is not there who asked for it."""
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
