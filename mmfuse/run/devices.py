"""How many processes train a run: one a device, on each of its nodes. Torch is asked only where it has to be."""

import os
from typing import Any

from mmfuse.errors import ConfigError
from mmfuse.run.make import Config

ALL = ("auto", "-1", -1)


def ranks(trainer: Config) -> int:
    """Of all nodes."""
    chosen, nodes = per_node(trainer), trainer.get("num_nodes") or 1
    if nodes < 1:
        raise ConfigError(f"trainer.num_nodes={nodes}: at least 1 is needed")
    return chosen * nodes


def per_node(trainer: Config) -> int:
    """Of this machine; `ConfigError` where it has not as many."""
    wanted = trainer.get("devices", 1)
    if wanted in (1, "1"):
        return 1
    what, named = kind(trainer), numbers(wanted)
    if what not in ("cpu", "cuda"):
        return 1
    there = len(os.sched_getaffinity(0)) if what == "cpu" else cuda_devices()
    if wanted in ALL:
        return 1 if what == "cpu" else max(1, there)
    if what == "cpu" and isinstance(named, list):
        raise ConfigError(f"trainer.devices={wanted} names devices, and cores have no names: a number is needed")
    most = max(named, default=0) + 1 if isinstance(named, list) else named
    if most > there:
        called = "CPU cores" if what == "cpu" else "GPUs"
        raise ConfigError(
            f"trainer.devices={wanted}: there are {there} {called} here\n  to go on: trainer.devices={there}"
        )
    return len(named) if isinstance(named, list) else named


def kind(trainer: Config) -> str:
    """What is trained on: "cpu", "cuda", or another that Lightning knows."""
    named = trainer.get("accelerator") or "auto"
    if named in ("auto", "gpu", "cuda"):
        return "cuda" if cuda_devices() else "cpu" if named == "auto" else "cuda"
    return str(named)


def cuda_devices() -> int:
    import torch

    return torch.cuda.device_count()


def numbers(wanted: Any) -> int | list[int]:
    """
    >>> numbers("0,2"), numbers("3"), numbers([1]), numbers(2)
    ([0, 2], 3, [1], 2)
    """
    try:
        if isinstance(wanted, str) and "," in wanted:
            return [int(number) for number in wanted.split(",") if number.strip()]
        return [int(number) for number in wanted] if isinstance(wanted, list) else int(wanted)
    except (TypeError, ValueError):
        if wanted in ALL:
            return -1
        raise ConfigError(f"trainer.devices={wanted}: how many, or which ([0,1]), or auto") from None


def number_of(trainer: Config, local: int) -> int:
    """Which device of the machine is that of its rank `local`."""
    named = numbers(trainer.get("devices", 1))
    return named[local] if isinstance(named, list) else local


def alone(trainer: Config) -> dict[str, Any]:
    """The same, for one process on one of its devices."""
    named = numbers(trainer.get("devices", 1))
    return {**trainer, "devices": named[:1] if isinstance(named, list) else 1, "num_nodes": 1, "strategy": "auto"}
