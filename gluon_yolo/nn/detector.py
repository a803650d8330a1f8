"""The detector network: a picture in, raw maps out, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

import numpy as np

from gluon_yolo.compat import gluon, mx
from gluon_yolo.nn.heads import ClassChannels
from gluon_yolo.nn.layers import Normalize, weighted_layers
from gluon_yolo.spec import Anchors, DetectionSpec

# ImageNet's colour statistics, on pixels scaled to 0..1; GluonCV's weights expect them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
OBJECTNESS_PRIOR = 0.01


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
    """What another program's weights file holds.

    Args:
        values: arrays under a network's own names; those that have no place in it, under their own.
        anchors_per_level: how many anchors a cell has at each level, ascending stride.
        anchors: which, as far as the file tells.
        left_out: what is not among the values, each with the reason.
        misfit: why they are not the whole network, and what to do; None where nothing but their names and
            shapes tells.
    """

    values: dict[str, np.ndarray]
    anchors_per_level: tuple[int, ...] | None = None
    anchors: Anchors | None = None
    left_out: tuple[str, ...] = ()
    misfit: str | None = None


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
        readers: by kind of a foreign weights file (``darknet``, ``pth``), what reads one for this network.
        published: the names of GluonCV's weights for the whole network and for its backbone; None where there
            are none.
        remarks: lines on the file that describes it.
    """

    class_channels: Mapping[str, ClassChannels]
    layer_names: tuple[str, ...]
    backbone_prefix = ""

    def __init__(self, name: str, spec: DetectionSpec, **kwargs):
        """Store name and spec."""
        super().__init__(**kwargs)
        self.zoo_name = name
        self.spec = spec
        self.readers: dict[str, Callable[[Path], ForeignWeights]] = {}
        self.published: tuple[str | None, str | None] = (None, None)
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
        backbone: picture to feature maps, ascending stride.
        neck: feature maps to the heads' inputs; it has ``layer_names`` of its own.
        heads: to raw maps.
        normalize: of the input; None standardises colours as GluonCV does.
    """

    backbone_prefix = "backbone."

    def __init__(self, name: str, spec: DetectionSpec, backbone, neck, heads, normalize=None, **kwargs):
        """Register the parts."""
        super().__init__(name, spec, **kwargs)
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
            the spec's score rule (:mod:`gluon_yolo.nn.scores`).
        """
        return self.heads(*self.neck(*self.backbone(self.normalize(pixels))))
