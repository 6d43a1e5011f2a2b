"""Puts fusions to their contract and to data whose answer is known, and says in words what was found."""

import inspect
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch

from mmfuse.errors import ConfigError, TrainingError
from mmfuse.selftest.contract import CHECKS
from mmfuse.selftest.known import TASKS, accuracy
from mmfuse.selftest.specimens import BrokenError, Make
from mmfuse.types import Fusion

LEARNED, CHANCE = 0.9, 0.6  # accuracies from which on an answer is known, and up to which it is not
LEARNS = 0.8  # what the best of them has to reach
MISSED = 5  # the exit code of a threshold that is not met


class Found(NamedTuple):
    broken: dict[str, str]  # by check: what was found
    learned: dict[str, float]  # by task: the accuracy


def run(files: Mapping[str, Path], target: str | None) -> int:
    """Prints a block for each fusion as it is done; an exit code."""
    makes: dict[str, Make] = {name: from_file(file) for name, file in files.items()}
    if target is not None:
        makes[target] = own(target)
    torch.set_num_threads(1)  # tensors are small
    failed = []
    for name, make in makes.items():
        found = put_to_the_test(make)
        print(f"{name}\n{words(found)}", flush=True)
        if found.broken or max(found.learned.values(), default=0.0) < LEARNS:
            failed.append(name)
    print(f"{len(makes) - len(failed)} of {len(makes)} pass" + (f"; not {', '.join(failed)}" if failed else ""))
    return MISSED if failed else 0


def put_to_the_test(make: Make) -> Found:
    broken: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            check(make)
        except BrokenError as error:
            broken[name] = str(error)
        except Exception as error:  # somebody's own code may raise anything
            said = str(error).splitlines()
            broken[name] = f"{type(error).__name__}: {said[0] if said else 'no message'}"
    learned = {}
    for task in TASKS:
        try:
            learned[task] = accuracy(make, task)
        except Exception as error:
            said = str(error).splitlines()
            broken[f"learns {task}"] = f"{type(error).__name__}: {said[0] if said else 'no message'}"
    return Found(broken, learned)


def words(found: Found) -> str:
    kept = sum(name in CHECKS for name in found.broken)
    lines = [f"  contract   {len(CHECKS) - kept} of {len(CHECKS)} kept"]
    lines += [f"    broken   {name.replace('_', ' ')}: {said}" for name, said in found.broken.items()]
    figures = "  ".join(f"{task} {share:.3f}".replace("0.", ".") for task, share in found.learned.items())
    lines.append(f"  learns     {figures or 'nothing'}")
    lines += [f"             {said}" for said in verdicts(found.learned)]
    return "\n".join(lines)


def verdicts(learned: Mapping[str, float]) -> list[str]:
    said = []
    for task, meaning in (
        ("additive", "it does not add up what two modalities say"),
        ("redundant", "it does not learn what both modalities say"),
    ):
        if learned.get(task, 0.0) < LEARNED:
            said.append(f"{task}: {meaning}")
    if learned.get("unique", 1.0) < LEARNED:
        said.append("unique: it cannot leave a modality out, as with one weight for all that are alike")
    if learned.get("xor", 0.0) >= LEARNED:
        said.append("xor: modalities interact in it")
    elif learned.get("xor", 0.0) <= CHANCE:
        said.append("xor: it adds; what only two modalities together say is beyond it")
    else:
        said.append("xor: it learns some of how modalities interact")
    return said


def from_file(file: Path) -> Make:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    part = instantiate(OmegaConf.to_container(OmegaConf.load(file)), _partial_=True, _convert_="object")
    return lambda dims: part(dims=dims)


def own(target: str) -> Make:
    module, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module), name) if module else None
    except ImportError as error:
        raise ConfigError(
            f"--target {target}: {error}\n  it is a package, a module and a class: mypackage.fusion.Mine"
        ) from error
    except AttributeError as error:
        raise ConfigError(f"--target {target}: {module} has no {name}") from error
    if not (inspect.isclass(found) and issubclass(found, Fusion)):
        raise ConfigError(f"--target {target}: it has to be a subclass of mmfuse.types.Fusion")
    try:
        found({"a": 3, "b": 3})
    except TypeError as error:
        raise TrainingError(f"--target {target}: it cannot be made of its modalities' widths alone: {error}") from error
    return partial(found)
