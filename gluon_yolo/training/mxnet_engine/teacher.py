"""The teacher in mxnet's engine: its graph for inference, with fused kernels, on one device."""

from __future__ import annotations

import numpy as np

from gluon_yolo.inference.runtimes.exported_symbol import INPUT
from gluon_yolo.inference.runtimes.mxnet import MXNetRuntime
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.training.soft_targets import soft_targets
from gluon_yolo.training.teacher import TeacherPredictions


class MXNetTeacher:
    """Turns the images of a batch into soft targets.

    Args:
        block: the teacher with its weights.
        spec: of the network that is trained.
        context: that computes the whole batch, also where several devices train.
    """

    def __init__(self, block: TeacherPredictions, spec: DetectionSpec, context: mx.Context) -> None:
        self.spec = spec
        parameters = {
            p.name: p.data(p.list_ctx()[0]).copyto(mx.cpu()) for p in block.collect_params().values()
        }
        symbol = mx.sym.Group([block(mx.sym.var(INPUT))])
        gpu = context.device_id if context.device_type == "gpu" else None
        # Of one size: batches of a size follow each other, and each plan takes memory of its own.
        self._runtime = MXNetRuntime(symbol, parameters, None, gpu, kept_shapes=1)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the soft targets (B, M, 12 + C) of images (B, H, W, 3) uint8."""
        (predictions,) = self._runtime(pixels)
        height, width = pixels.shape[1:3]
        return soft_targets(predictions, self.spec, (height, width))
