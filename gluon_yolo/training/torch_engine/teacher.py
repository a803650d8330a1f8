"""The teacher in torch's engine: a frozen module on the device that trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon_yolo.pytorch.fold import fold_norms
from gluon_yolo.pytorch.module import block_module
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.torch_compat import Tensor, torch
from gluon_yolo.training.soft_targets import CANDIDATES, OBJECTNESS, soft_targets
from gluon_yolo.training.teacher import TeacherPredictions


class TorchTeacher:
    """Turns the images of a batch into soft targets, in two parts between which a GPU has other work.

    Args:
        block: the teacher with its weights.
        spec: of the network that is trained.
        device: of the engine.
        dtype: of weights and arithmetic.
        compiled: whether torch compiles it.
    """

    def __init__(
        self,
        block: TeacherPredictions,
        spec: DetectionSpec,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        compiled: bool = False,
    ) -> None:
        module = block_module(block, ["pixels"], dtype=dtype).eval().requires_grad_(False)
        fold_norms(module)
        module = module.to(device)
        for array in (*module.parameters(), *module.buffers()):
            if array.ndim == 4:  # as the pixels are stored
                array.data = array.data.contiguous(memory_format=torch.channels_last)
        self.spec = spec
        self._network: Any = torch.compile(module) if compiled else module

    @torch.no_grad()
    def start(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """Start to predict images (B, H, W, 3) uint8; a GPU does the work while this process goes on.

        Returns:
            What :meth:`finish` takes: predictions (B, K, 5 + C) with the highest objectness, not yet there on
            a GPU, and the event after which they are.
        """
        predictions = self._network(pixels)[0]
        objectness = predictions[..., OBJECTNESS]
        best = objectness.topk(min(CANDIDATES, objectness.shape[1]), sorted=False).indices
        best = best.sort().values[..., None].expand(-1, -1, predictions.shape[2])
        predictions = predictions.gather(1, best)
        if pixels.device.type == "cpu":
            return predictions, None
        there = torch.empty(predictions.shape, dtype=predictions.dtype, pin_memory=True)
        there.copy_(predictions, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return there, event

    def finish(self, started: tuple[Tensor, Any], size_hw: tuple[int, int]) -> np.ndarray:
        """Return the soft targets (B, M, 12 + C) of what was started.

        Args:
            started: what :meth:`start` returned.
            size_hw: height and width of the images.
        """
        predictions, event = started
        if event is not None:
            event.synchronize()
        return soft_targets(predictions.numpy(), self.spec, size_hw)
