"""In which order the rows of shards are seen: a function of the seed and the epoch, so that it can be entered anywhere.

The shards are shuffled, dealt out to the ranks and each rank's to its workers, and read one after another; what is read
is shuffled within windows of `buffer` rows. The `shuffle` of Hugging Face's `datasets` has no way back into an epoch:
its buffer is not part of its state, as its documentation says
(https://huggingface.co/docs/datasets/stream#save-a-dataset-checkpoint-and-resume-iteration). Windows need none.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from mmfuse.data.shards_files import Row, ShardFiles


class Place(NamedTuple):
    """Who reads: no shard is read in two places."""

    rank: int = 0
    ranks: int = 1
    worker: int = 0  # of this rank
    workers: int = 1

    def share(self, shards: Sequence[int]) -> list[int]:
        """Every rank has its share before a second worker has.

        >>> [Place(rank, 2, worker, 2).share(range(5)) for rank in (0, 1) for worker in (0, 1)]
        [[0, 4], [2], [1], [3]]
        """
        return list(shards[self.rank :: self.ranks][self.worker :: self.workers])


class ShardOrder:
    def __init__(self, files: ShardFiles, buffer: int, seed: int):
        """`buffer` rows are held and shuffled at a time; 1 leaves them as they lie."""
        if buffer < 1:
            raise ValueError(f"buffer={buffer}: at least 1 row is needed")
        self.files, self.buffer, self.seed = files, buffer, seed

    def shards(self, epoch: int, place: Place) -> list[int]:
        shuffled = np.random.default_rng([self.seed, epoch]).permutation(len(self.files))
        return place.share(shuffled.tolist())

    def count(self, epoch: int, place: Place) -> int | None:
        """Rows that are read there; None where only reading tells."""
        counts = [self.files.counts[shard] for shard in self.shards(epoch, place)]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def rows(self, epoch: int, place: Place, start: int = 0) -> Iterator[Row]:
        """The rows of an epoch from the `start`-th on; whole shards before it stay unopened, where they are counted."""
        window = start // self.buffer
        lying = self.lying(self.shards(epoch, place), window * self.buffer)
        skip = start % self.buffer
        while held := list(islice(lying, self.buffer)):
            random = np.random.default_rng([self.seed, epoch, place.rank, place.worker, window])
            for at in random.permutation(len(held))[skip:].tolist():
                yield held[at]
            window, skip = window + 1, 0

    def lying(self, shards: Sequence[int], skip: int) -> Iterator[Row]:
        """The rows as they lie, without the first ones."""
        for shard in shards:
            count = self.files.counts[shard]
            if count is not None and skip >= count:
                skip -= count
                continue
            if count is not None:
                yield from self.files.read(shard, skip)
                skip = 0
                continue
            for row in self.files.read(shard):
                if skip:
                    skip -= 1
                else:
                    yield row
