"""Tells Lightning which rank it is: it need not look for a cluster, and starts no process of its own."""

from lightning_fabric.plugins.environments import LightningEnvironment

from mmfuse.ranks import Place


class Placed(LightningEnvironment):
    def __init__(self, place: Place):
        super().__init__()
        self.place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def world_size(self) -> int:
        return self.place.ranks

    def global_rank(self) -> int:
        return self.place.rank

    def local_rank(self) -> int:
        return self.place.local

    def set_world_size(self, size: int) -> None:
        pass

    def set_global_rank(self, rank: int) -> None:
        pass
