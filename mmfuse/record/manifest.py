"""manifest.json: what a run was made of, so that it can be made again. Of the environment, named variables only."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "mmfuse",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "hydra-core",
    "omegaconf",
    "transformers",
    "tokenizers",
    "librosa",
    "soundfile",
    "soxr",
    "pillow",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pyarrow",
)
VARIABLES = (
    "MMFUSE_DATA",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "SLURM_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "PYTHONHASHSEED",
)
DIFF_BYTES = 200_000


def describe(
    choices: Mapping[str, str], data: Mapping[str, Any], seeds: list[int], folds: int | None
) -> dict[str, Any]:
    return {
        "created": now(),
        "choices": dict(choices),
        "seeds": seeds,
        "folds": folds,
        "data": dict(data),
        "versions": {"python": platform.python_version()} | {p: v for p in PACKAGES if (v := installed(p))},
        "hardware": hardware(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "git": git(Path.cwd()) or git(Path(__file__).parent),
        "argv": sys.argv,
        "cwd": os.getcwd(),  # from which paths in the config are, unless they are whole
    }


def now() -> str:
    """
    >>> len(now())  # such as 2026-11-20T16:04:12+0000
    24
    """
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def hardware() -> dict[str, Any]:
    import torch

    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def git(folder: Path) -> dict[str, Any] | None:
    """The commit that is checked out where the run was started, and what differs from it."""

    def ask(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10, errors="replace"
        ).stdout

    try:
        commit, changed = ask("rev-parse", "HEAD").strip(), ask("diff", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changed), "diff": changed[:DIFF_BYTES], "cut": len(changed) > DIFF_BYTES}
