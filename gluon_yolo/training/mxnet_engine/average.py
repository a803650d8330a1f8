"""MXNetAverage: the moving average of the weights that mxnet's engine trains."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.training.mxnet_engine.calls import LARGE, groups
from gluon_yolo.training.weight_average import Decay, averaged_names
from gluon_yolo.weights.load import structural_parameters


class MXNetAverage:
    """A :class:`gluon_yolo.training.weight_average.WeightAverage`, kept on the first device.

    An update of ``sgd_update`` with the weight for a gradient is an update of the average::

        average = average - rate * (-weight + average),    rate = 1 - decay

    so mxnet's kernel averages many arrays in one call: two elementwise operators for each array would be
    hundreds of calls, which take longer than the arithmetic.

    Args:
        net: initialized, with its starting weights.
        decay: how fast the average forgets.
    """

    def __init__(self, net: DetectionNetwork, decay: Decay) -> None:
        self._decay = decay
        parameters = structural_parameters(net)
        self._parameters = {name: parameters[name] for name in averaged_names(net)}
        self._average = {
            name: nd.array(parameter_io.array(each), ctx=each.list_ctx()[0])
            for name, each in self._parameters.items()
        }
        pairs = [(self._average[name], each.list_data()[0]) for name, each in self._parameters.items()]
        self._large = [pair for pair in pairs if pair[0].size >= LARGE]
        self._small = list(groups([pair for pair in pairs if pair[0].size < LARGE]))

    def restart(self, arrays: Mapping[str, np.ndarray] | None) -> None:
        """Continue with an average that :meth:`arrays` returned; None is the present weights."""
        for name, average in self._average.items():
            average[:] = parameter_io.array(self._parameters[name]) if arrays is None else arrays[name]

    def update(self, updates: int) -> None:
        """Add the present weights of the first device."""
        rate = 1 - self._decay.after(updates)
        for average, weight in self._large:
            nd.sgd_update(average, weight, out=average, lr=rate, wd=1.0, rescale_grad=-1.0)
        for pairs in self._small:
            nd.multi_sgd_update(
                *itertools.chain.from_iterable(pairs),
                out=[average for average, _ in pairs],
                num_weights=len(pairs),
                lrs=[rate] * len(pairs),
                wds=[1.0] * len(pairs),
                rescale_grad=-1.0,
            )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return a copy of the average by structural name."""
        return {name: array.asnumpy() for name, array in self._average.items()}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network have the average, on all devices, while the block runs."""
        parameter_io.wait()
        trained = {
            name: [copy.asnumpy() for copy in parameter.list_data()]
            for name, parameter in self._parameters.items()
        }
        for name, parameter in self._parameters.items():
            parameter.set_data(self._average[name])
        try:
            yield
        finally:
            parameter_io.wait()
            for name, parameter in self._parameters.items():
                for copy, array in zip(parameter.list_data(), trained[name]):
                    copy[:] = array
