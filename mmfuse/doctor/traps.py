"""What has cost others an afternoon."""

import os
import shutil
from pathlib import Path

from mmfuse.doctor.devices import cores
from mmfuse.doctor.finding import Finding
from mmfuse.doctor.versions import build_of_torch, installed

SECTION = "traps"
SHARED = Path("/dev/shm")
SMALL = 1 << 30  # bytes


def findings() -> list[Finding]:
    return [found for found in (torchvision(), threads(), shared_memory()) if found is not None]


def torchvision() -> Finding | None:
    """The index has wheels for CUDA only, and beside another build of torch they raise RuntimeError when imported."""
    have = installed("torchvision")
    if not have or "+cpu" in have or build_of_torch() != "for CPUs only":
        return None
    why = f"torchvision {have} beside a torch for CPUs only: it may not import, and timm with it"
    wheels = "pip install torchvision --index-url https://download.pytorch.org/whl/cpu; or pip uninstall torchvision"
    return Finding(SECTION, "torchvision", why, "warning", wheels)


def threads() -> Finding | None:
    """Threads that wait for each other spin: with busy cores a step takes a hundred times as long."""
    typed, may = os.environ.get("OMP_NUM_THREADS", ""), cores()
    if typed.isdigit() and int(typed) > may:
        return Finding(
            SECTION,
            "threads",
            f"OMP_NUM_THREADS={typed}, and {may} cores",
            "warning",
            f"OMP_NUM_THREADS={may}, or less",
        )
    if not typed and may > 1:
        why = f"OMP_NUM_THREADS is not set: a run takes {may} threads, and runs that share cores wait for each other"
        return Finding(SECTION, "threads", why, "warning", "threads=1, or OMP_NUM_THREADS=1, where several run at once")
    return None


def shared_memory() -> Finding | None:
    """Batches from loaders' processes go through it; containers give 64 MiB."""
    if not SHARED.is_dir() or (size := shutil.disk_usage(SHARED).total) >= SMALL:
        return None
    why = f"{SHARED} has {size / 2**20:.0f} MiB: processes that decode media may die of it"
    return Finding(SECTION, "shared memory", why, "warning", "docker run --shm-size=8g; or loader.workers=0")
