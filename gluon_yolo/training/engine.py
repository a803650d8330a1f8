"""Engine: what a training asks of the program that computes its steps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.training.weight_average import WeightAverage


class NotFinite(Exception):
    """The loss of a batch is not finite. The weights are unchanged."""

    def __init__(self, batch: Batch, names: Sequence[str], losses: np.ndarray):
        numbers = ", ".join(f"{name} {value:g}" for name, value in zip(names, losses))
        super().__init__(f"the loss is not finite ({numbers}) on the batch of: {', '.join(batch.names)}")


class Engine(Protocol):
    """Trains the Gluon network of a run, one batch at a time.

    An engine may keep weights, statistics and velocities outside the Gluon network: in another program, on
    another device. :meth:`to_net` brings them into the network and into ``trainer``, in gluon's form, which
    the checkpoint saves. So each engine resumes the runs of the others.
    :class:`gluon_yolo.training.mxnet_engine.step.TrainStep` is mxnet's engine.
    """

    @property
    def loss_names(self) -> Sequence[str]:
        """The names of the losses."""
        ...

    @property
    def trainer(self) -> gluon.Trainer:
        """The optimizer in gluon's form, as of the last :meth:`to_net`."""
        ...

    @property
    def average(self) -> WeightAverage | None:
        """The moving average of the weights, if the training keeps one."""
        ...

    @property
    def devices(self) -> Sequence[str]:
        """The names of the devices that share a batch."""
        ...

    def __call__(self, batch: Batch, learning_rate: float) -> np.ndarray:
        """Train on one batch.

        Args:
            batch: its size must be a multiple of the number of devices.
            learning_rate: of this step.

        Returns:
            The losses in the order of ``loss_names``, means over the images of the batch.

        Raises:
            NotFinite: a loss is not finite; weights, statistics and velocities are unchanged.
        """
        ...

    def is_finite(self) -> bool:
        """Return whether all parameters and statistics are finite."""
        ...

    def share_statistics(self) -> None:
        """Set each device's running statistics to their mean: the scored network is then the saved one."""
        ...

    def averaged(self) -> AbstractContextManager[None]:
        """Let the network have the averaged weights while the block runs; do nothing where there are none."""
        ...

    def to_net(self) -> None:
        """Set the Gluon network and ``trainer`` to the present weights, statistics and velocities.

        It costs nothing if no step was trained since the last call. It involves no other process.
        """
        ...

    def from_net(self) -> None:
        """Continue with the weights, statistics and velocities of the Gluon network and of ``trainer``."""
        ...

    def predictor(self, size_hw: tuple[int, int], **options: Any) -> Predictor:
        """Return a predictor of the network with its present weights, on the engine's device.

        Args:
            size_hw: height and width of the input in pixels.
            **options: as :class:`gluon_yolo.inference.predictor.Predictor` takes them.
        """
        ...
