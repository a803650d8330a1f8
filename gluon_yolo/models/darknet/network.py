"""A darknet network as a block: it turns images into raw maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.models.darknet.blocks import EPSILON, ConvolutionBlock, make_block
from gluon_yolo.models.darknet.detection_spec import make_spec
from gluon_yolo.models.darknet.layers import IMAGE, Convolution
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.head_layout import BOX_CHANNELS
from gluon_yolo.models.heads import ClassChannels, set_bias_prior
from gluon_yolo.models.layers import Normalize, make_norm
from gluon_yolo.spec import DetectionSpec

CFG = "network.cfg"  # file name in a model's folder


class DarknetNetwork(DetectionNetwork):
    """Scale pixels to 0..1 and run the layers of a cfg.

    The block of layer N, by darknet's numbering, is the child ``layerN``. So its parameters have the names
    ``layerN.convolution.weight``, ``layerN.norm.gamma`` and so on.

    Args:
        name: of the network.
        plan: the layers.
        spec: classes, anchors, strides, box coding, score rule.
        norm: ``bn``, ``sync`` or ``frozen`` (:func:`gluon_yolo.models.layers.make_norm`).
        num_devices: devices that share ``sync`` statistics.
        weights_plan: plan of the cfg that fits the darknet weights to load, where its classes differ.

    Attributes:
        weights_plan: the plan whose layers describe a darknet weights file for this network.
    """

    family = "darknet"

    def __init__(
        self,
        name: str,
        plan: Plan,
        spec: DetectionSpec,
        norm: str = "bn",
        num_devices: int = 1,
        weights_plan: Plan | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, spec, **kwargs)
        self.plan = plan
        self.weights_plan = weights_plan or plan
        if plan.idle:
            self.remarks = (f"{plan.cfg.path}: no part in what the network computes: {', '.join(plan.idle)}",)
        self.normalize = Normalize((0, 0, 0), (1, 1, 1))
        factory = make_norm(norm, num_devices, EPSILON)
        self._blocks: list[Any] = []
        probabilities = {head.inputs[0] for head in plan.heads if head.new_coords}
        for layer in plan.layers:
            # The raw map is the input of their sigmoid.
            if isinstance(layer, Convolution) and layer.index in probabilities:
                layer = dataclasses.replace(layer, activation="linear")
            widths = [plan.shape(source).channels for source in layer.inputs]
            block = make_block(layer, widths, factory)
            self._blocks.append(block)
            if block is not None:
                self.register_child(block, f"layer{layer.index}")
        self.layer_names = tuple(f"layer{layer.index}" for layer in plan.layers)
        self.class_channels = {
            f"layer{head.inputs[0]}.convolution.{kind}": ClassChannels(level, len(head.anchors))
            for level, head in enumerate(plan.heads)
            for kind in ("weight", "bias")
        }

    @property
    def convolutions(self) -> tuple[tuple[Convolution, ConvolutionBlock], ...]:
        """The layers that have weights, each with its block, in the order of a weights file."""
        return tuple((layer, self._blocks[layer.index]) for layer in self.plan.convolutions)

    def set_prior(self, probability: float) -> None:
        """Set the heads' biases so that every anchor's objectness is ``probability`` before training.

        A head whose input is no plain convolution with a bias stays as it is.
        """
        for head in self.plan.heads:
            block = self._blocks[head.inputs[0]]
            if isinstance(block, ConvolutionBlock) and block.convolution.bias is not None:
                set_bias_prior(block.convolution.bias, BOX_CHANNELS + self.spec.num_classes, probability)

    def keep(self, folder: Path) -> None:
        """Write the cfg into a model's folder.

        Raises:
            UserError: it cannot be written.
        """
        self.plan.cfg.write(folder / CFG)

    def hybrid_forward(self, F: Any, pixels: Any) -> Any:
        """Turn RGB pixels into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) in 0..255, uint8 or float32; H and W are multiples of the spec's largest
                stride.

        Returns:
            A tuple of (B, A * (5 + C), H / stride, W / stride), one per level by ascending stride.
        """
        maps = {IMAGE: self.normalize(pixels)}
        for layer, block in zip(self.plan.layers, self._blocks):
            inputs = [maps[source] for source in layer.inputs]
            maps[layer.index] = inputs[0] if block is None else block(*inputs)
        return tuple(maps[head.index] for head in self.plan.heads)


def build(
    plan: Plan, class_names: Sequence[str] | None = None, norm: str = "bn", num_devices: int = 1
) -> DarknetNetwork:
    """Build the network of a plan; its weights are not initialized.

    Args:
        plan: from :func:`gluon_yolo.models.darknet.plan.make_plan`.
        class_names: as for :func:`gluon_yolo.models.darknet.detection_spec.make_spec`.
        norm: ``bn``, ``sync`` or ``frozen``.
        num_devices: devices that share ``sync`` statistics.

    Raises:
        UserError: as for :func:`gluon_yolo.models.darknet.detection_spec.make_spec`.
    """
    spec = make_spec(plan, class_names)
    return DarknetNetwork(Path(plan.cfg.path).stem, plan, spec, norm, num_devices)
