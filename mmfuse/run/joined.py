"""A process as one of the ranks that train together: gloo for what lies in memory, NCCL for what lies on GPUs."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from mmfuse import ranks
from mmfuse.errors import ConfigError
from mmfuse.ranks import Place
from mmfuse.run import devices
from mmfuse.run.make import Config

LEADER = "MMFUSE_LEADER"  # the process that started the ranks of a machine, by its number
PATIENCE = timedelta(hours=24)  # for ranks that are busy: frozen encoders may take hours, and whoever dies is missed


def refuse_unless_all(place: Place, trainer: Config) -> None:
    wanted = devices.ranks(trainer)
    if place.ranks != wanted:
        raise ConfigError(
            f"{place.ranks} processes were started, and the run wants {wanted} (trainer.devices={trainer['devices']},"
            f" trainer.num_nodes={trainer.get('num_nodes', 1)})\n  to go on: as many processes"
        )


@contextmanager
def joined(place: Place, trainer: Config) -> Iterator[None]:
    """Within, all ranks are there."""
    import torch
    from torch import distributed

    on_gpus = devices.kind(trainer) == "cuda"
    if on_gpus:
        torch.cuda.set_device(devices.number_of(trainer, place.local))
    if "MASTER_ADDR" not in os.environ:  # srun has no word for it
        from lightning_fabric.plugins.environments import SLURMEnvironment

        nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ["SLURM_NODELIST"]
        os.environ["MASTER_ADDR"] = SLURMEnvironment.resolve_root_node_address(nodes)
        step = int(os.environ.get("SLURM_STEP_ID") or 0)  # of one job, several may train at the same time
        os.environ.setdefault("MASTER_PORT", str(15_000 + (int(os.environ["SLURM_JOB_ID"]) + 97 * step) % 10_000))
    backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
    distributed.init_process_group(backend, rank=place.rank, world_size=place.ranks, timeout=PATIENCE)
    ranks.take(place)
    yield
    distributed.barrier()
    distributed.destroy_process_group()  # a rank that ends with it may abort after all is done


def end_with_leader() -> None:
    """A rank whose launcher has died ends as well, so that none is left of a run that was killed."""
    leader = int(os.environ.get(LEADER) or os.getppid())

    def watch() -> None:
        while os.getppid() == leader:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
