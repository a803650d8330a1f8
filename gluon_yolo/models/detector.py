"""The detector network: it turns images into raw maps; decoding and NMS are separate blocks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.models.heads import ClassChannels
from gluon_yolo.models.layers import Normalize, weighted_layers
from gluon_yolo.mxnet_compat import gluon, mx
from gluon_yolo.spec import DetectionSpec

# Mean and deviation of ImageNet's colours, for pixels scaled to 0..1. GluonCV's weights need them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
OBJECTNESS_PRIOR = 0.01

SPP = "_spp"  # ends the architecture in the name of a network with a spatial pyramid pooling


def family_of(name: str) -> str:
    """Return the architecture in a network's full name, without data set and SPP.

    Weights of other programs fit it: they have no SPP.
    """
    return name.rsplit("_", 1)[0].removesuffix(SPP)


class DetectionNetwork(gluon.HybridBlock):
    """Base class of all detectors: RGB pixels in, raw maps out.

    Args:
        name: of the network, in the zoo or of its cfg file.
        spec: classes, anchors, strides, box coding, score rule.

    Attributes:
        zoo_name: the name.
        class_channels: by the name of a head's parameter: its channels of classes.
        layer_names: names of the layers, in the order of computation.
        backbone_prefix: common prefix of the names of the backbone's parameters; empty where everything but
            the heads is the backbone.
        family: networks of one family have the same parameter names, whatever their classes. It selects the
            readers of other programs' weights files (:mod:`gluon_yolo.weights.readers`).
        remarks: messages about the file that describes the network.
    """

    class_channels: Mapping[str, ClassChannels]
    layer_names: tuple[str, ...]
    backbone_prefix = ""
    family: str

    def __init__(self, name: str, spec: DetectionSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zoo_name = name
        self.spec = spec
        self.remarks: tuple[str, ...] = ()

    def initialize_weights(self, ctx: Any = None, seed: int | None = None) -> None:
        """Initialize convolutions by He et al. 2015 (fan-in) and the heads with a low objectness prior.

        Args:
            ctx: a context or a list of contexts; None is the CPU.
            seed: of mxnet's random generator; None does not set it.
        """
        if seed is not None:
            mx.random.seed(seed)
        draw = mx.init.MSRAPrelu(factor_type="in", slope=0.1)
        self.initialize(draw, ctx=ctx or mx.cpu(), force_reinit=True)
        self.set_prior(OBJECTNESS_PRIOR)

    def set_prior(self, probability: float) -> None:
        """Set the biases of new heads so that every anchor's objectness is ``probability``."""
        raise NotImplementedError

    def keep(self, folder: Path) -> None:
        """Write into a model's folder the files that, beside its record, describe the network."""


class Detector(DetectionNetwork):
    """A detector of normalisation, backbone, neck and heads.

    Args:
        name: the zoo's name of the network.
        spec: classes, anchors, strides, box coding, score rule.
        backbone: image to feature maps, by ascending stride.
        neck: feature maps to the heads' inputs; it has ``layer_names``.
        heads: the heads' inputs to raw maps; they have ``class_channels`` and ``set_prior``.
        normalize: of the input; None normalises with ``MEAN`` and ``STD``, as GluonCV does.
    """

    backbone_prefix = "backbone."

    def __init__(
        self,
        name: str,
        spec: DetectionSpec,
        backbone: Any,
        neck: Any,
        heads: Any,
        normalize: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, spec, **kwargs)
        self.family = family_of(name)
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
        """Set the biases of new heads so that every anchor's objectness is ``probability``."""
        self.heads.set_prior(probability)

    def hybrid_forward(self, F: Any, pixels: Any) -> Any:
        """Turn RGB pixels into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) in 0..255, uint8 or float32; H and W are multiples of the spec's largest
                stride.

        Returns:
            A tuple of maps (B, K, H / stride, W / stride), one per level by ascending stride. The spec's
            score rule defines the K channels (:mod:`gluon_yolo.models.head_layout`).
        """
        return self.heads(*self.neck(*self.backbone(self.normalize(pixels))))
