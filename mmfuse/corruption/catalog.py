"""The corruptions by name, and which of them are for which kind of modality."""

from mmfuse.corruption.blur import Blur
from mmfuse.corruption.corruption import Corruption
from mmfuse.corruption.gaussian import Gaussian
from mmfuse.corruption.occlusion import Occlusion
from mmfuse.corruption.salt_pepper import SaltPepper
from mmfuse.corruption.snr import SNR
from mmfuse.corruption.step_cut import StepCut
from mmfuse.corruption.step_drop import StepDrop
from mmfuse.corruption.swaps import Swaps
from mmfuse.corruption.words import Words

CORRUPTIONS: dict[str, type[Corruption]] = {
    "gaussian": Gaussian,
    "step_drop": StepDrop,
    "step_cut": StepCut,
    "words": Words,
    "swaps": Swaps,
    "blur": Blur,
    "occlusion": Occlusion,
    "salt_pepper": SaltPepper,
    "snr": SNR,
}


def fitting(kind: str) -> list[str]:
    """
    >>> fitting("text"), fitting("vector")
    (['words', 'swaps'], ['gaussian'])
    """
    return [name for name, corruption in CORRUPTIONS.items() if kind in corruption.kinds]
