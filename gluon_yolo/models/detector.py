"""The detector network: an image in, raw maps out, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gluon_yolo.models.heads import ClassChannels
from gluon_yolo.models.layers import Normalize, weighted_layers
from gluon_yolo.mxnet_compat import gluon, mx
from gluon_yolo.spec import DetectionSpec

# ImageNet's colour statistics, on pixels scaled to 0..1; GluonCV's weights expect them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
OBJECTNESS_PRIOR = 0.01


class DetectionNetwork(gluon.HybridBlock):
    """What every network here is: pixels in, raw maps out, and all that others must know of it.

    Args:
        name: of the network, as the zoo or its file calls it.
        spec: classes, anchors, strides, codings.

    Attributes:
        zoo_name: the name.
        class_channels: by the name of a head's parameter, where its classes are.
        layer_names: the places of the layers, in the order of computation.
        backbone_prefix: how the names of its backbone's parameters begin; empty where all but the heads is
            one.
        family: which networks share their parameters' names, whatever their classes: it decides which other
            programs' weights files can be read for them (:mod:`gluon_yolo.weights.readers`).
        remarks: lines on the file that describes it.
    """

    class_channels: Mapping[str, ClassChannels]
    layer_names: tuple[str, ...]
    backbone_prefix = ""
    family: str

    def __init__(self, name: str, spec: DetectionSpec, **kwargs):
        """Store name and spec."""
        super().__init__(**kwargs)
        self.zoo_name = name
        self.spec = spec
        self.remarks: tuple[str, ...] = ()

    def initialize_weights(self, ctx=None, seed: int | None = None) -> None:
        """Draw fresh weights: He et al. 2015 for convolutions by fan-in, a low objectness prior for heads.

        Args:
            ctx: a context or a list of them; the CPU by default.
            seed: of the draw; None leaves mxnet's generator as it is.
        """
        if seed is not None:
            mx.random.seed(seed)
        draw = mx.init.MSRAPrelu(factor_type="in", slope=0.1)
        self.initialize(draw, ctx=ctx or mx.cpu(), force_reinit=True)
        self.set_prior(OBJECTNESS_PRIOR)

    def set_prior(self, probability: float) -> None:
        """Make the fresh heads give every anchor this objectness."""
        raise NotImplementedError

    def keep(self, folder: Path) -> None:
        """Write beside a model's record what is needed, besides it, to build the network again."""


class Detector(DetectionNetwork):
    """Normalise, extract features, join them, predict.

    Args:
        name: the zoo's name of this network.
        spec: classes, anchors, strides.
        backbone: image to feature maps, ascending stride.
        neck: feature maps to the heads' inputs; it has ``layer_names`` of its own.
        heads: to raw maps.
        normalize: of the input; None standardises colours as GluonCV does.
    """

    backbone_prefix = "backbone."

    def __init__(self, name: str, spec: DetectionSpec, backbone, neck, heads, normalize=None, **kwargs):
        """Register the parts."""
        super().__init__(name, spec, **kwargs)
        self.family = name.rsplit("_", 1)[0]  # a zoo's name without its data set
        self.normalize = normalize or Normalize(MEAN, STD)
        self.backbone = backbone
        self.neck = neck
        self.heads = heads
        self.class_channels = {f"heads.{name}": place for name, place in heads.class_channels.items()}
        self.layer_names = (
            *(f"backbone.{name}" for name in weighted_layers(backbone)),
            *(f"neck.{name}" for name in neck.layer_names),
            *(f"heads.{name}" for name in weighted_layers(heads)),
        )

    def set_prior(self, probability: float) -> None:
        """Make the fresh heads give every anchor this objectness."""
        self.heads.set_prior(probability)

    def hybrid_forward(self, F, pixels):
        """Turn plain RGB pixels into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) in 0..255, uint8 or float32; H and W multiples of the spec's largest stride.

        Returns:
            A tuple of maps (B, K, H/s, W/s), one per level by ascending stride; what the K channels hold is
            the spec's score rule (:mod:`gluon_yolo.models.head_layout`).
        """
        return self.heads(*self.neck(*self.backbone(self.normalize(pixels))))
