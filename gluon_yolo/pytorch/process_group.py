"""ProcessGroup: this process among those that train one network together."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from typing import Any

from gluon_yolo.torch_compat import Tensor, distributed, torch

TIMEOUT_S = 600  # of one message; torch's own default for NCCL


class ProcessGroup:
    """What one process tells the others; a process alone needs no ``torch.distributed``.

    Args:
        rank: number of this process, from 0.
        world: number of processes.
        device: of this process: ``cpu``, or its GPU as ``cuda:0``.
    """

    def __init__(self, rank: int = 0, world: int = 1, device: str | torch.device = "cpu") -> None:
        self.rank, self.world = rank, world
        self.device = torch.device(device)

    @classmethod
    def join(
        cls,
        device: str | torch.device = "cpu",
        timeout_s: float = TIMEOUT_S,
        environment: Mapping[str, str] = os.environ,
        store: distributed.Store | None = None,
    ) -> ProcessGroup:
        """Join the processes that torch's launcher started; without a launcher this process is alone.

        Args:
            device: of this process. GPUs talk over NCCL, CPUs over gloo.
            timeout_s: seconds after which a message that is not answered raises an error.
            environment: with ``RANK`` and ``WORLD_SIZE``, as torchrun sets them.
            store: where the processes find each other; None is the one that the environment names.
        """
        group = cls(int(environment.get("RANK", 0)), int(environment.get("WORLD_SIZE", 1)), device)
        if group.world > 1 and not distributed.is_initialized():
            distributed.init_process_group(
                "nccl" if group.device.type == "cuda" else "gloo",
                rank=group.rank,
                world_size=group.world,
                timeout=datetime.timedelta(seconds=timeout_s),
                store=store,
            )
        return group

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor on this process's device by the sum over all processes, and return it."""
        if self.world > 1:
            distributed.all_reduce(tensor)
        return tensor

    def sum_later(self, tensor: Tensor) -> Any:
        """Begin to replace a tensor by the sum over several processes; ``wait()`` of the result ends it."""
        return distributed.all_reduce(tensor, async_op=True)

    def gather(self, tensor: Tensor) -> Tensor:
        """Return every process's tensor (world, ...), by rank; they have one shape."""
        if self.world == 1:
            return tensor.unsqueeze(0)
        rows = [torch.empty_like(tensor) for _ in range(self.world)]
        distributed.all_gather(rows, tensor)
        return torch.stack(rows)

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """Set tensors to those of the first process."""
        if self.world > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def leave(self) -> None:
        """End the conversation; the process is alone afterwards."""
        if self.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()
        self.rank, self.world = 0, 1
