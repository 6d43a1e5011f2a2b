"""Pretrained weights from a local file, which is read without running anything that it holds."""

import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

NAMES = ("model.safetensors", "pytorch_model.bin")  # as transformers saves them in a folder
INSIDE = ("state_dict", "model")  # entries that training scripts keep the weights in
HEADS = ("fc.", "classifier.", "head.")  # what makes classes of features, and is not wanted here
COUNTER = "num_batches_tracked"  # not in files from before torch 0.4.1, and no weight


def read_weights(path: str) -> dict[str, Tensor]:
    """Tensors by their names. Raises ValueError with the path where there are none to be had."""
    file = Path(path).expanduser()
    if file.is_dir():
        inside = [file / name for name in NAMES if (file / name).is_file()]
        if not inside:
            raise ValueError(f"weights={path}: this folder has neither {' nor '.join(NAMES)}")
        file = inside[0]
    if not file.is_file():
        raise ValueError(f"weights={path}: there is no such file")
    found = of_safetensors(file) if file.suffix == ".safetensors" else of_pickle(file)
    for entry in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(entry), Mapping):
            found = found[entry]
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"weights={path}: it holds no tensors by their names")
    for name, value in found.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"weights={path}: '{name}' is a {type(value).__name__}; a state dict holds tensors alone")
    return dict(found)


def of_safetensors(file: Path) -> object:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"weights={file}: not a readable .safetensors file: {error}") from error


def of_pickle(file: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an unusual protocol, which is refused below if it matters
            return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"weights={file}: refused: a pickle that is broken, or holds more than tensors and could run code\n"
            "  what is taken: .safetensors, or a state dict that torch.load reads with weights_only=True"
        ) from error


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: str) -> None:
    """All of the module's weights from a file's, whose heads are left out; ValueError where they are others."""
    wanted = module.state_dict()
    given = {name: value for name, value in weights.items() if name in wanted or not name.startswith(HEADS)}
    missing = [name for name in wanted if name not in given and not name.endswith(COUNTER)]
    beyond = [name for name in given if name not in wanted]
    if missing or beyond:
        raise ValueError(
            f"weights={path}: of another network\n  "
            + "; ".join(filter(None, [counted(missing, "it lacks"), counted(beyond, "it has beside")]))
        )
    for name, value in given.items():
        if value.shape != wanted[name].shape:
            raise ValueError(
                f"weights={path}: of another shape: {name} is {shape(value)} in the file and {shape(wanted[name])} "
                f"in the network{advice(value, wanted[name])}"
            )
    module.load_state_dict(given, strict=False)


def counted(names: Iterable[str], what: str) -> str:
    names = list(names)
    return f"{what} {len(names)} of its weights, the first {names[0]}" if names else ""


def shape(tensor: Tensor) -> str:
    return "(" + ", ".join(map(str, tensor.shape)) + ")"


def advice(found: Tensor, wanted: Tensor) -> str:
    """Most pretrained networks are for colours."""
    if found.dim() == 4 and found.shape[1] == 3 and wanted.shape[1] == 1:
        return "\n  its pictures have 3 channels and these 1\n  to go on: prepare.color=true, of this encoder"
    return ""
