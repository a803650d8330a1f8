"""TorchAverage: the moving average of the weights that torch's engine trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.pytorch.process_group import ProcessGroup
from gluon_yolo.torch_compat import Tensor, nn, torch
from gluon_yolo.training.weight_average import STATISTICS, Decay, averaged_names


class TorchAverage:
    """A :class:`gluon_yolo.training.weight_average.WeightAverage`, kept on the module's device.

    Args:
        net: which the module computes.
        module: with its starting weights.
        decay: how fast the average forgets.
    """

    def __init__(self, net: DetectionNetwork, module: nn.Module, decay: Decay) -> None:
        self._decay = decay
        state = module.state_dict()
        self._trained: dict[str, Tensor] = {name: state[name] for name in averaged_names(net)}
        self._average = {name: each.clone() for name, each in self._trained.items()}

    def restart(self, arrays: Mapping[str, np.ndarray] | None) -> None:
        """Continue with an average that :meth:`arrays` returned; None is the present weights."""
        for name, average in self._average.items():
            average.copy_(self._trained[name] if arrays is None else torch.from_numpy(arrays[name]))

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Add the present weights."""
        averages: list[Any] = list(self._average.values())
        torch._foreach_lerp_(averages, list(self._trained.values()), 1 - self._decay.after(updates))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return a copy of the average by structural name."""
        return {
            name: each.to("cpu", torch.float32, copy=True).contiguous().numpy()
            for name, each in self._average.items()
        }

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the module have the average while the block runs."""
        trained = {name: each.clone() for name, each in self._trained.items()}
        self._set(self._average)
        try:
            yield
        finally:
            self._set(trained)

    def share_statistics(self, processes: ProcessGroup) -> None:
        """Set the averages of running statistics to those of the first process, which saves them."""
        processes.broadcast_(each for name, each in self._average.items() if name.endswith(STATISTICS))

    @torch.no_grad()
    def _set(self, values: Mapping[str, Tensor]) -> None:
        for name, each in self._trained.items():
            each.copy_(values[name])
