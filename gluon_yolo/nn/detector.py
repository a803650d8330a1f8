"""The detector network: a picture in, raw maps out, and nothing else."""

from __future__ import annotations

from gluon_yolo.compat import gluon, mx
from gluon_yolo.nn.layers import Normalize
from gluon_yolo.spec import DetectionSpec

# ImageNet's colour statistics, on pixels scaled to 0..1; GluonCV's weights expect them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
OBJECTNESS_PRIOR = 0.01


class Detector(gluon.HybridBlock):
    """Normalise, extract features, join them, predict.

    Args:
        name: the zoo's name of this network.
        spec: classes, anchors, strides.
        backbone: picture to feature maps, ascending stride.
        neck: feature maps to the heads' inputs.
        heads: to raw maps.
    """

    def __init__(self, name: str, spec: DetectionSpec, backbone, neck, heads, **kwargs):
        """Register the parts."""
        super().__init__(**kwargs)
        self.zoo_name = name
        self.spec = spec
        self.normalize = Normalize(MEAN, STD)
        self.backbone = backbone
        self.neck = neck
        self.heads = heads

    def initialize_weights(self, ctx=None, seed: int | None = None) -> None:
        """Draw fresh weights: He et al. 2015 for convolutions by fan-in, a low objectness prior for heads.

        Args:
            ctx: a context or a list of them; the CPU by default.
            seed: of the draw; None leaves mxnet's generator as it is.
        """
        draw_weights(self, ctx, seed)
        self.heads.set_prior(OBJECTNESS_PRIOR)

    def hybrid_forward(self, F, pixels):
        """Turn plain RGB pixels into raw maps.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) in 0..255, uint8 or float32; H and W multiples of the spec's largest stride.

        Returns:
            A tuple of (B, A * (5 + C), H/s, W/s), one per level by ascending stride; the channels of an
            anchor are tx, ty, tw, th, objectness, class logits.
        """
        return self.heads(*self.neck(*self.backbone(self.normalize(pixels))))


def draw_weights(net: gluon.Block, ctx=None, seed: int | None = None) -> None:
    """Draw fresh weights for any network; the arguments are those of :meth:`Detector.initialize_weights`."""
    if seed is not None:
        mx.random.seed(seed)
    net.initialize(mx.init.MSRAPrelu(factor_type="in", slope=0.1), ctx=ctx or mx.cpu(), force_reinit=True)


class EndToEnd(gluon.HybridBlock):
    """A detector with a tail behind it, as one graph: pixels to whatever the tail makes of the raw maps.

    Args:
        net: a :class:`Detector`.
        tail: a block that takes its raw maps, as those of :mod:`gluon_yolo.nn.decode`.
    """

    def __init__(self, net: Detector, tail: gluon.HybridBlock, **kwargs):
        """Register both."""
        super().__init__(**kwargs)
        self.net = net
        self.tail = tail

    def hybrid_forward(self, F, pixels):
        """Return ``tail(*net(pixels))``."""
        return self.tail(*self.net(pixels))
