"""Cores, memory and accelerators that a run may use here. Torch is asked in a process of its own, which may fail."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from mmfuse.doctor.finding import Finding
from mmfuse.doctor.versions import build_of_torch

SECTION = "devices"
PATIENCE = 120.0  # seconds that torch is given to start
LIMITS = Path("/sys/fs/cgroup")
ASK = """
import json, torch
cuda = torch.cuda
found = [(cuda.get_device_name(i), cuda.get_device_properties(i).total_memory) for i in range(cuda.device_count())]
print(json.dumps({"gpus": found, "mps": torch.backends.mps.is_available()}))
"""


def findings() -> list[Finding]:
    have, may = os.cpu_count() or 1, cores()
    found = [Finding(SECTION, "cores", str(may) + (f" of {have}" if may < have else ""))]
    memory = total_memory()
    found.append(Finding(SECTION, "memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown"))
    return found + accelerators()


def accelerators() -> list[Finding]:
    build, driver = build_of_torch(), shutil.which("nvidia-smi")
    if build == "for CPUs only" and platform.system() != "Darwin":
        if driver:
            to_do = "a build of torch for CUDA: https://pytorch.org/get-started/locally"
            return [Finding(SECTION, "gpus", "there is a driver, and torch is built for CPUs only", "warning", to_do)]
        return [Finding(SECTION, "gpus", "none: torch is built for CPUs only")]
    return asked_of_torch([sys.executable, "-c", ASK], PATIENCE)


def asked_of_torch(command: list[str], patience: float) -> list[Finding]:
    again = "reinstall torch; python -c 'import torch' shows more"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience)
        about = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return [Finding(SECTION, "torch", f"did not start in {patience:.0f} seconds", "broken", again)]
    except (OSError, ValueError, IndexError):
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        return [Finding(SECTION, "torch", f"cannot be imported: {said}", "broken", again)]
    gpus = [
        Finding(SECTION, f"gpu {number}", f"{name}   {memory / 2**30:.1f} GiB")
        for number, (name, memory) in enumerate(about["gpus"])
    ]
    if about["mps"]:
        gpus.append(Finding(SECTION, "mps", "Apple's, by trainer.accelerator=mps"))
    return gpus or [Finding(SECTION, "gpus", "none that torch can use")]


def cores() -> int:
    """Those that this process may run on, and no more than a container's share of time amounts to."""
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = limit("cpu.max").partition(" ")
    return max(1, min(may, round(int(quota) / int(period)))) if quota.isdigit() and period.isdigit() else may


def total_memory() -> int | None:
    """Bytes, of the machine or of the container."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    most = limit("memory.max")
    return min(machine, int(most)) if most.isdigit() else machine


def limit(name: str) -> str:
    try:
        return (LIMITS / name).read_text().strip()
    except OSError:
        return ""
