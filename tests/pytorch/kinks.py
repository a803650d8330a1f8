"""Networks whose activations are away from their kinks, where rounding would decide between two slopes."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np

from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.pytorch.batch_norm import BatchNorm
from gluon_yolo.pytorch.module import block_module
from gluon_yolo.pytorch.operators import layers
from gluon_yolo.torch_compat import fx, torch

# Of a channel's standard deviation: no value is nearer to a kink. float32's errors before an activation are
# up to a tenth of it.
MARGIN = 1e-4
FARTHEST = 0.5  # of a channel's standard deviation: no channel is moved farther


def off_the_kinks(net: DetectionNetwork, images: np.ndarray) -> float:
    """Move channels of a network a little, so that no value of a batch is at the kink of its activation.

    The shift of a batch norm, or the bias of a convolution, in front of a ReLU, leaky ReLU or ReLU6 changes
    by the smallest step after which no value of the channel is within ``MARGIN`` of a kink, in float64.

    Args:
        net: initialized, with norms that use the stored statistics.
        images: (B, H, W, 3) pixels.

    Returns:
        The largest step, over the standard deviation of its channel.
    """
    module = block_module(net, ["pixels"], dtype=torch.float64)
    mover = _Mover(module, net._collect_params_with_prefix())
    with torch.no_grad():
        mover.run(torch.from_numpy(images))
    return mover.largest


class _Mover(fx.Interpreter):
    """Computes a graph, and moves each channel in front of an activation when its values are there."""

    def __init__(self, module: fx.GraphModule, parameters: dict[str, Any]):
        super().__init__(module.eval())
        self.parameters, self.largest = parameters, 0.0

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        kinks = sorted({kink for user in node.users for kink in _kinks_of(user)})
        name = self._shift_of(node)
        if not kinks or name is None:
            return value
        parameter = self.parameters[name]
        old = parameter.data().asnumpy()
        channels = value.transpose(0, 1).flatten(1).numpy()
        deviations = np.maximum(channels.std(1), 1e-12)
        wanted = np.array([_step(*each) for each in zip(channels, repeat(kinks), deviations)])
        self.largest = max(self.largest, float(np.abs(wanted / deviations).max()))
        parameter.set_data(nd.array(old + wanted))
        moved = parameter.data().asnumpy().astype(np.float64) - old
        return value + torch.from_numpy(moved)[:, None, None]

    def _shift_of(self, node: fx.Node) -> str | None:
        """Return the name of the parameter that is added to a node's channels last."""
        if node.op == "call_module" and isinstance(self.module.get_submodule(node.target), BatchNorm):
            return f"{node.target}.beta"
        if node.target is layers.convolution and len(node.args) == 3:
            return node.args[2].target
        return None


def _kinks_of(user: fx.Node) -> tuple[float, ...]:
    if user.target is layers.activation:
        return (0.0,) if user.kwargs["act_type"] == "relu" else ()
    if user.target is layers.leaky_relu:
        return (0.0,)
    name = getattr(user.target, "__name__", "")
    if name == "clip":
        return (float(user.kwargs["a_min"]), float(user.kwargs["a_max"]))
    return (0.0,) if name == "relu" else ()


def _step(channel: np.ndarray, kinks: list[float], deviation: float) -> float:
    """Return the smallest step that leaves a gap about each kink."""
    ordered, margin = np.sort(channel), MARGIN * deviation
    for count in (8, 64, 512, round(FARTHEST / MARGIN)):  # mostly a few are enough
        multiples = np.arange(count)
        steps = np.stack([multiples, -multiples], 1).ravel() * margin
        free = np.ones(len(steps), bool)
        for kink in kinks:
            below, above = (np.searchsorted(ordered, kink - steps + side * margin) for side in (-1, 1))
            free &= below == above
        if free.any():
            return float(steps[free.argmax()])
    raise AssertionError(f"no step up to {FARTHEST} deviations leaves a gap")
