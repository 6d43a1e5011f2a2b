import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mmfuse.types import Preparation, Ragged, Signal, Signals

torch.set_num_threads(1)  # for tensors this small, more threads only wait for each other


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def build() -> Callable[..., Any]:
    """What a component's yaml names, made with the yaml's own arguments and with these parts."""

    def from_yaml(path: Path, **parts: Any) -> Any:
        arguments = {key: value for key, value in OmegaConf.load(path).items() if key not in ("prepare", "augment")}
        return instantiate(arguments | parts.pop("keys", {}), _partial_=True, _convert_="object")(**parts)

    return from_yaml


@pytest.fixture
def sequences() -> Callable[..., Signals]:
    """Random sequences: (widths by modality, steps of each row by modality) -> signals. No steps, no modality."""

    def make(dims: dict[str, int], lengths: dict[str, Sequence[int]]) -> Signals:
        found = {}
        for modality, width in dims.items():
            mask = torch.arange(max(1, *lengths[modality])) < torch.tensor(lengths[modality])[:, None]  # (B, T)
            found[modality] = Signal(torch.randn(*mask.shape, width), mask)
        return found

    return make


@pytest.fixture
def unpadded() -> Callable[[Signal], list[torch.Tensor]]:
    """The real steps of each row."""
    return lambda signal: [data[mask] for data, mask in zip(signal.data, signal.mask, strict=True)]


@pytest.fixture
def rows_of() -> Callable[[Ragged], list[torch.Tensor]]:
    """The steps of each row that a preparation returned."""
    return lambda ragged: list(ragged.data.split(ragged.lengths.tolist()))


@pytest.fixture
def through_json() -> Callable[[Preparation], Preparation]:
    """Another preparation of the same kind, restored from what the first one learned."""

    def restored(preparation: Preparation) -> Preparation:
        other = type(preparation)()
        other.restore(json.loads(json.dumps(preparation.state())))
        return other

    return restored
