"""Share: the part of each global batch that one of several training processes reads."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """One process among those that divide each batch evenly.

    Args:
        rank: the number of the process, from 0.
        world: the number of processes.
    """

    rank: int = 0
    world: int = 1

    def places(self, batch_size: int) -> range:
        """Return the places of this process in a global batch; all shares in turn are the batch.

        Raises:
            ValueError: the batch cannot be divided evenly.
        """
        if batch_size % self.world or not 0 <= self.rank < self.world:
            raise ValueError(f"process {self.rank} of {self.world}: no even share of a batch of {batch_size}")
        size = batch_size // self.world
        return range(self.rank * size, (self.rank + 1) * size)


WHOLE = Share()
"""The share of a training's only process."""
