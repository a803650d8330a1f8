"""Trial: whether a network that was written and read back is the same."""

from __future__ import annotations

import numpy as np

from gluon_yolo.compat import mx
from gluon_yolo.errors import UserError
from gluon_yolo.export.symbol import TOLERANCE
from gluon_yolo.nn.detector import DetectionNetwork


def check_same(net: DetectionNetwork, again: DetectionNetwork, size_hw: tuple[int, int]) -> None:
    """Run both on a random picture and compare their raw maps.

    Args:
        net: what was written.
        again: what was read back, on the CPU.
        size_hw: of the picture in pixels.

    Raises:
        UserError: when the maps hold numbers that are not finite.
        RuntimeError: when they differ by more than ``TOLERANCE``, relative to a map's largest number.
    """
    picture = np.random.default_rng(0).integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    context = next(iter(net.collect_params().values())).list_ctx()[0]
    expected = [raw.asnumpy() for raw in net(mx.nd.array(picture, ctx=context, dtype="uint8"))]
    if not all(np.isfinite(raw).all() for raw in expected):
        raise UserError(
            f"{net.zoo_name}: gives numbers that are not finite: its weights are damaged, or of another "
            "network; nothing was written"
        )
    for ours, raw in zip(expected, again(mx.nd.array(picture, dtype="uint8"))):
        error = np.abs(ours - raw.asnumpy()).max() / max(1.0, np.abs(ours).max())
        if not error <= TOLERANCE:
            raise RuntimeError(f"what was written differs from the network by {error:.1e}; it was removed")
