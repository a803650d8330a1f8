"""WeightAverage: the exponential moving average (EMA) of a network's weights, and how fast it forgets.

::

    average = d * average + (1 - d) * weights,    d = decay * (1 - exp(-updates / ramp_up))

The average of the last weights of a noisy optimizer is often nearer to the optimum than any of them (Polyak
and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; Tarvainen and Valpola, Mean
teachers, 2017, section 2). The ramp-up, as in YOLOv5 (``utils/torch_utils.py``, ``ModelEMA``), lets the
first, poor weights be forgotten quickly. As there, the running statistics of batch norms are averaged too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.weights.load import structural_parameters

if TYPE_CHECKING:
    from gluon_yolo.training.config import TrainConfig

STATISTICS = (".running_mean", ".running_var")


class Decay(NamedTuple):
    """How fast an average forgets.

    Args:
        decay: the share of the average that an update keeps, after the ramp-up; 0 or more and below 1.
        ramp_up: number of updates in which the share grows to about two thirds of ``decay``; 0 for none.
    """

    decay: float
    ramp_up: float

    @classmethod
    def of(cls, config: TrainConfig) -> Decay | None:
        """Return the decay of a training; None if it keeps no average."""
        return cls(config.ema_decay, config.ema_ramp_up) if config.ema else None

    def after(self, updates: int) -> float:
        """Return the share of the average that an update keeps, given its number, from 1."""
        return self.decay * (1 - math.exp(-updates / self.ramp_up)) if self.ramp_up else self.decay


class WeightAverage(Protocol):
    """The average of the weights that an engine trains.

    Each process has one. The weights of all processes are the same, and so are the averages; running
    statistics differ within an epoch, and only the average of the first process's counts.
    """

    def update(self, updates: int) -> None:
        """Add the present weights.

        Args:
            updates: of the weights since the training's start, the present one included.
        """
        ...

    def restart(self, arrays: Mapping[str, np.ndarray] | None) -> None:
        """Continue with an average that :meth:`arrays` returned; None is the present weights."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return a copy of the average by structural name."""
        ...

    def in_place(self) -> AbstractContextManager[None]:
        """Let the network have the average in the place of its weights while the block runs."""
        ...


def averaged_names(net: DetectionNetwork) -> list[str]:
    """Return the structural names of what is averaged: trained parameters, and running statistics."""
    return [
        name
        for name, parameter in structural_parameters(net).items()
        if parameter.grad_req != "null" or name.endswith(STATISTICS)
    ]
