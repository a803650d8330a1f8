"""SharedCheckpoint: the first process writes it for all, with the running statistics of each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.mxnet_compat import gluon, nd
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.processes.store import Store
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.state import Progress

_STATISTICS = (".running_mean", ".running_var")


class SharedCheckpoint(Checkpoint):
    """A :class:`Checkpoint` of a run folder that all processes see, in the same format.

    A process without SyncBN has running statistics of its own within an epoch, as a device of mxnet's has; at
    the end of an epoch all have their mean.

    Args:
        folder: of the run.
        member: this process.
        store: where statistics are sent to the first process.
    """

    def __init__(self, folder: RunFolder, member: Member, store: Store) -> None:
        super().__init__(folder.weights)
        self._member, self._store = member, store

    def save(
        self,
        net: gluon.Block,
        trainer: gluon.Trainer,
        progress: Progress,
        average: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Replace ``last`` by the present state; other processes than the first send what only they have."""
        if self._member.is_first:
            super().save(net, trainer, progress, average)
        elif _is_within_epoch(progress):
            self._store.send(self._place(self._member.rank, progress), _statistics(net))

    def _statistics_of_others(self, net: gluon.Block, progress: Progress) -> dict[str, nd.NDArray]:
        if not _is_within_epoch(progress):
            return {}
        own, others = _statistics(net), {}
        for rank in range(1, self._member.world):
            for name, array in self._store.receive(self._place(rank, progress)).items():
                if not np.array_equal(array, own[name]):
                    others[f"{rank}:{name}"] = nd.array(array)
        return others

    def _load_statistics(self, net: gluon.Block, arrays: dict[str, nd.NDArray]) -> None:
        params = net._collect_params_with_prefix()
        for key, array in arrays.items():
            rank, _, name = key.partition(":")
            if int(rank) == self._member.rank:
                params[name].set_data(array)

    def _place(self, rank: int, progress: Progress) -> str:
        return self._member.others(f"statistics/{progress.step}/{rank}")


def _is_within_epoch(progress: Progress) -> bool:
    return progress.batch > 0


def _statistics(net: gluon.Block) -> dict[str, np.ndarray]:
    """Return the running statistics by structural name."""
    params = net._collect_params_with_prefix()
    return {name: parameter_io.array(each) for name, each in params.items() if name.endswith(_STATISTICS)}
