"""Processes: what a training asks of the processes that train it; here of one alone, which needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.data.loading.share import WHOLE, Share
from gluon_yolo.evaluation.gathering import ALONE as ALL_BATCHES
from gluon_yolo.evaluation.gathering import Gathering
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.signals import Stop

if TYPE_CHECKING:
    from gluon_yolo.pytorch.process_group import ProcessGroup
    from gluon_yolo.torch_compat import Tensor
    from gluon_yolo.training.checkpoint import Checkpoint


class Processes:
    """One process, which does everything.

    Several are :class:`gluon_yolo.training.processes.many.ManyProcesses`.

    Attributes:
        share: the part of each global batch that this process trains.
        gathering: divides the validation.
        stop: whether the run ends early; the same in all processes.
        member: which of several processes this one is; None for one alone.
    """

    share: Share = WHOLE
    gathering: Gathering = ALL_BATCHES
    member: Member | None = None

    def __init__(self) -> None:
        self.stop = Stop()

    @property
    def run_id(self) -> str | None:
        """The id that a launcher gives the run; None where none does."""
        return None if self.member is None else self.member.run_id

    @property
    def hosts(self) -> int:
        """The number of hosts that train together."""
        return 1 if self.member is None else max(1, self.member.world // self.member.local_world)

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's folder and the log, and calls the callbacks."""
        return self.share.rank == 0

    def group(self, device: str) -> ProcessGroup:
        """Return what the processes tell each other while they compute on their devices."""
        from gluon_yolo.pytorch.process_group import ProcessGroup

        return ProcessGroup(device=device)

    def agreed(self, losses: Tensor, learning_rate: float) -> tuple[np.ndarray, float]:
        """Return the losses of the global batch, and the learning rate of its step.

        Args:
            losses: (L, B) of this process's images.
            learning_rate: the first process's counts.

        Returns:
            The means (L,) over all images, and the learning rate.
        """
        return losses.detach().cpu().numpy().mean(axis=1), learning_rate

    def names_of(self, names: Sequence[str], is_bad: bool) -> list[str]:
        """Return the names of the images of all processes that have a bad batch.

        Args:
            names: of this process's images.
            is_bad: whether its own losses are not finite.
        """
        return list(names)

    def part_of(self, workers: int) -> int:
        """Return how many of a host's workers, which prepare images, are this process's."""
        return workers

    def described(self) -> str:
        """Return a line for the log on the processes; empty for one alone."""
        return ""

    def settle(self) -> None:
        """Let all processes take over whether the first one ends the run early."""

    def callbacks(self, callbacks: Sequence[Any]) -> list[Any]:
        """Return which callbacks are called in this process."""
        return list(callbacks)

    def checkpoint(self, folder: RunFolder) -> Checkpoint:
        """Return the checkpoint of a run."""
        from gluon_yolo.training.checkpoint import Checkpoint  # a late import, because it imports mxnet

        return Checkpoint(folder.weights)

    def first_says(self, what: str, value: Any) -> Any:
        """Return the first process's value, in all of them.

        Args:
            what: names it.
            value: this process's own: numbers, texts and lists.
        """
        return value

    def known_folder(self) -> Path | None:
        """Return the folder of the run that goes on, which another process or an earlier start has made."""
        return None

    def announce(self, folder: Path) -> None:
        """Tell the others the run's folder."""
