"""Which of the processes that train one model together this one is; a process by itself is rank 0 of 1.

Only a worker becomes a rank, and only where whoever started it says so: variables that a shell has inherited make no
rank of any other process.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Place(NamedTuple):
    rank: int = 0
    ranks: int = 1
    local: int = 0  # the number of its device among those of its machine

    @property
    def first(self) -> bool:
        """Whether it is the one that speaks and writes."""
        return self.rank == 0


_taken = Place()


def here() -> Place:
    return _taken


def take(place: Place) -> None:
    """Said once, by a worker, before anything is asked."""
    global _taken
    _taken = place


def told(environment: Mapping[str, str]) -> Place:
    """As torch's launcher says it, or Slurm's srun; a batch script by itself is no rank.

    >>> told({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"})
    Place(rank=3, ranks=4, local=1)
    >>> told({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"})
    Place(rank=1, ranks=2, local=1)
    >>> told({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"})
    Place(rank=0, ranks=1, local=0)
    """
    for size, rank, local in (
        ("WORLD_SIZE", "RANK", "LOCAL_RANK"),
        ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"),
    ):
        if size in environment and rank in environment:
            return Place(int(environment[rank]), int(environment[size]), int(environment.get(local, "0")))
    return Place()
