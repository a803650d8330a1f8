"""A darknet network as a block: a picture in, raw maps out, with the face of our own Detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.compat import gluon
from gluon_yolo.darknet.blocks import EPSILON, ConvolutionBlock, make_block
from gluon_yolo.darknet.layers import PICTURE, Convolution
from gluon_yolo.darknet.levels import make_spec
from gluon_yolo.darknet.plan import Plan
from gluon_yolo.nn.detector import OBJECTNESS_PRIOR, draw_weights
from gluon_yolo.nn.heads import BOX_CHANNELS, set_bias_prior
from gluon_yolo.nn.layers import Normalize, make_norm
from gluon_yolo.spec import DetectionSpec


class DarknetNetwork(gluon.HybridBlock):
    """Scale pixels to 0..1 and run the layers of a cfg.

    The block of layer N is the child ``layerN``, by darknet's own count, so that its parameters are called
    ``layerN.convolution.weight``, ``layerN.norm.gamma`` and so on.

    Args:
        plan: the layers.
        spec: classes, anchors, strides.
        norm: ``bn``, ``sync`` or ``frozen`` (:func:`gluon_yolo.nn.layers.make_norm`).
        num_devices: devices that share ``sync`` statistics.

    Attributes:
        zoo_name: the cfg's name without its ending.
    """

    def __init__(self, plan: Plan, spec: DetectionSpec, norm: str = "bn", num_devices: int = 1, **kwargs):
        """Build every layer."""
        super().__init__(**kwargs)
        self.zoo_name = Path(plan.cfg.path).stem
        self.plan = plan
        self.spec = spec
        self.normalize = Normalize((0, 0, 0), (1, 1, 1))
        factory = make_norm(norm, num_devices, EPSILON)
        self._blocks: list[gluon.HybridBlock | None] = []
        for layer in plan.layers:
            widths = [plan.shape(source).channels for source in layer.inputs]
            block = make_block(layer, widths, factory)
            self._blocks.append(block)
            if block is not None:
                self.register_child(block, f"layer{layer.index}")

    @property
    def convolutions(self) -> tuple[tuple[Convolution, ConvolutionBlock], ...]:
        """The layers that hold weights, each with its block, in the order of a weights file."""
        return tuple((layer, self._blocks[layer.index]) for layer in self.plan.convolutions)

    def initialize_weights(self, ctx=None, seed: int | None = None) -> None:
        """Draw fresh weights: He et al. 2015 for convolutions by fan-in, a low objectness prior for heads.

        Args:
            ctx: a context or a list of them; the CPU by default.
            seed: of the draw; None leaves mxnet's generator as it is.
        """
        draw_weights(self, ctx, seed)
        for head in self.plan.heads:
            block = self._blocks[head.inputs[0]]
            # A head that is no plain convolution is left as it is.
            if isinstance(block, ConvolutionBlock) and block.convolution.bias is not None:
                set_bias_prior(block.convolution.bias, BOX_CHANNELS + self.spec.num_classes, OBJECTNESS_PRIOR)

    def hybrid_forward(self, F, pixels):
        """Turn plain RGB pixels into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) in 0..255, uint8 or float32; H and W multiples of the spec's largest stride.

        Returns:
            A tuple of (B, A * (5 + C), H/s, W/s), one per level by ascending stride; the channels of an
            anchor are tx, ty, tw, th, objectness, class logits.
        """
        maps = {PICTURE: self.normalize(pixels)}
        for layer, block in zip(self.plan.layers, self._blocks):
            inputs = [maps[source] for source in layer.inputs]
            maps[layer.index] = inputs[0] if block is None else block(*inputs)
        return tuple(maps[head.index] for head in self.plan.heads)


def build(
    plan: Plan, class_names: Sequence[str] | None = None, norm: str = "bn", num_devices: int = 1
) -> DarknetNetwork:
    """Build a plan's network, its weights not yet set.

    Args:
        plan: from :func:`gluon_yolo.darknet.plan.make_plan`.
        class_names: as :func:`gluon_yolo.darknet.levels.make_spec` takes them.
        norm: ``bn``, ``sync`` or ``frozen``.
        num_devices: devices that share ``sync`` statistics.

    Raises:
        UserError: as :func:`gluon_yolo.darknet.levels.make_spec` does.
    """
    return DarknetNetwork(plan, make_spec(plan, class_names), norm, num_devices)
