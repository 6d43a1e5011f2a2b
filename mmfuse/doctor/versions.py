"""What is installed of what mmfuse needs, by the metadata of packages: nothing is imported."""

import ast
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from mmfuse import __version__
from mmfuse.doctor.finding import Finding

SECTION = "versions"
SHOWN = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "transformers", "numpy")


def findings() -> list[Finding]:
    found = [Finding(SECTION, "python", platform.python_version()), Finding(SECTION, "mmfuse", __version__)]
    needed = {r.name: r for r in asked(None)}
    if not needed:
        found.append(Finding(SECTION, "needs", "unknown: mmfuse is not installed", "warning", "pip install mmfuse"))
    for name in dict.fromkeys((*SHOWN, *needed)):
        wrong = fault(needed.get(name) or Requirement(name))
        if wrong:
            found.append(Finding(SECTION, name, wrong, "broken", f"pip install '{needed.get(name, name)}'"))
        elif name in SHOWN:
            build = f"   {build_of_torch()}" if name == "torch" else ""
            found.append(Finding(SECTION, name, installed(name) + build))
    return found


def asked(extra: str | None) -> list[Requirement]:
    """What mmfuse needs, or what an extra of its adds to that."""
    try:
        listed = parsed(requires("mmfuse") or ())
    except PackageNotFoundError:
        return []
    if extra is None:
        return [r for r in listed if r.marker is None or r.marker.evaluate({"extra": ""})]
    of_extra = [r for r in listed if r.marker is not None and r.marker.evaluate({"extra": extra})]
    return [r for r in of_extra if not r.marker.evaluate({"extra": ""}) and r.name != "mmfuse"]  # type: ignore[union-attr]


def parsed(lines: Iterable[str]) -> list[Requirement]:
    found = []
    for line in lines:
        try:
            found.append(Requirement(line))
        except InvalidRequirement:  # a way of writing it that is newer than what reads it
            continue
    return found


def installed(package: str) -> str:
    """Its version; empty where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def fault(requirement: Requirement) -> str:
    """What is wrong with what is installed; empty where nothing is."""
    have = installed(requirement.name)
    if not have:
        return "missing"
    if not requirement.specifier.contains(have, prereleases=True):
        return f"{have}, and {requirement.specifier} is needed"
    return ""


def build_of_torch() -> str:
    """
    What torch was built for, read from the file that tells it.
    """
    cuda, hip = told(version_file(), "cuda"), told(version_file(), "hip")
    return f"for CUDA {cuda}" if cuda else f"for ROCm {hip}" if hip else "for CPUs only"


def version_file() -> Path | None:
    spec = find_spec("torch")
    return Path(spec.origin).with_name("version.py") if spec and spec.origin else None


def told(file: Path | None, name: str) -> str | None:
    """A string that a Python file gives a name to at its top."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8")) if file else ast.Module([], [])
    except (OSError, SyntaxError):
        return None
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if any(isinstance(t, ast.Name) and t.id == name for t in targets) and isinstance(value, ast.Constant):
            return value.value if isinstance(value.value, str) else None
    return None
