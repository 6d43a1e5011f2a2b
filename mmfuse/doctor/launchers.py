"""Where sweeps can be run from here."""

from mmfuse.doctor.finding import Finding
from mmfuse.doctor.versions import installed
from mmfuse.sweep import slurm_queue

SECTION = "launchers"


def findings() -> list[Finding]:
    return [Finding(SECTION, "local", "slots of this machine"), slurm(), ray()]


def slurm() -> Finding:
    if not slurm_queue.here():
        return Finding(SECTION, "slurm", "no Slurm here: sbatch is not found", "missing")
    try:
        version = slurm_queue.asked("sinfo", "--version").strip()
        partitions = slurm_queue.partitions()
    except slurm_queue.SilentError as error:
        return Finding(SECTION, "slurm", f"does not answer: {error}", "warning", "scontrol ping tells more")
    said = f"{version}   partitions: " + (", ".join(f"{name} ({of})" for name, of in partitions.items()) or "none")
    if not installed("submitit"):
        return Finding(SECTION, "slurm", f"{said}; submitit is missing", "missing", "pip install 'mmfuse[slurm]'")
    return Finding(SECTION, "slurm", said)


def ray() -> Finding:
    version = installed("ray")
    if not version:
        return Finding(SECTION, "ray", "missing", "missing", "pip install 'mmfuse[ray]'")
    return Finding(SECTION, "ray", f"{version}   a cluster of this machine, or launcher.address")
