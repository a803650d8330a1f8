"""A network of Caffe's as a block: it turns images into the values of its output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import UserError
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.models.caffe.blocks import make_block
from gluon_yolo.models.caffe.layers import Layer
from gluon_yolo.models.caffe.plan import Plan, make_plan
from gluon_yolo.models.layers import Normalize
from gluon_yolo.mxnet_compat import gluon

PROTOTXT = "network.prototxt"  # file name in a model's folder
COLOURS = ("rgb", "bgr")
_WHITE = 255.0


class CaffeNetwork(gluon.HybridBlock):
    """Normalise RGB pixels, and run the layers of a prototxt.

    The block of a layer is the child of its name, so its parameters have the names ``conv1.weight``,
    ``bn1.running_mean`` and so on.

    Args:
        name: of the network.
        plan: the layers.
        spec: what its output is.
        colour: ``rgb`` or ``bgr``: the order of the channels that the layers take.
        mean: of each channel in that order, for pixels 0..255; subtracted.
        scale: of each channel; divides.

    Attributes:
        zoo_name: the name.
        swaps: whether the layers' BGR is made here; where convolutions read the input, their weights have
            the channels in RGB's order instead.
        remarks: none.
    """

    def __init__(
        self,
        name: str,
        plan: Plan,
        spec: LandmarkSpec,
        colour: str,
        mean: Sequence[float],
        scale: Sequence[float],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.zoo_name, self.plan, self.spec = name, plan, spec
        self.remarks: tuple[str, ...] = ()
        self.preprocessing = {"colour": colour, "mean": list(mean), "scale": list(scale)}
        order = slice(None, None, -1 if colour == "bgr" else 1)
        mean, scale = list(mean)[order], list(scale)[order]
        self.swaps = colour == "bgr" and not reads_colours_by_convolution(plan)
        self.normalize = Normalize([m / _WHITE for m in mean], [s / _WHITE for s in scale])
        self._blocks: list[Any] = []
        for layer in plan.layers:
            block = make_block(layer)
            self._blocks.append(block)
            if isinstance(block, gluon.Block):
                self.register_child(block, child_name(layer))

    def keep(self, folder: Path) -> None:
        """Write the prototxt into a model's folder.

        Raises:
            NotWritten: it cannot be written.
        """
        with writing(folder / PROTOTXT, "name another place"):
            (folder / PROTOTXT).write_text(self.plan.source, encoding="utf-8")

    def hybrid_forward(self, F: Any, pixels: Any) -> Any:
        """Turn RGB pixels into the network's output.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) in 0..255, uint8 or float32, of the spec's size.

        Returns:
            A tuple of one array (B, K).
        """
        planes = self.normalize(pixels)
        if self.swaps:
            channels = [F.slice_axis(planes, axis=1, begin=place, end=place + 1) for place in (2, 1, 0)]
            planes = F.concat(*channels, dim=1)
        arrays = {self.plan.input: planes}
        for layer, block in zip(self.plan.layers, self._blocks):
            inputs = [arrays[name] for name in layer.inputs]
            arrays[layer.name] = block(*inputs) if isinstance(block, gluon.Block) else block(F, *inputs)
        return (F.Flatten(arrays[self.plan.output.name]),)


def build(path: Path, name: str, colour: str, mean: Sequence[float], scale: Sequence[float]) -> CaffeNetwork:
    """Build the network of a prototxt; its weights are not initialized.

    Args:
        path: of the prototxt.
        name: of the network.
        colour: as for :class:`CaffeNetwork`.
        mean: as for :class:`CaffeNetwork`.
        scale: as for :class:`CaffeNetwork`.

    Raises:
        UserError: the prototxt cannot be read, or its output is no points.
        MissingDependency: protobuf is not installed.
    """
    plan = make_plan(path)
    channels, height, width = plan.output.shape
    count = channels * height * width
    if count % 2:
        raise UserError(
            f'{path}: layer "{plan.output.name}" gives {count} numbers; landmarks are pairs of x and y'
        )
    return CaffeNetwork(name, plan, LandmarkSpec.of(count // 2, plan.size_hw), colour, mean, scale)


def reads_colours_by_convolution(plan: Plan) -> bool:
    """Return whether all that reads the input are convolutions without groups."""
    return all(layer.kind == "Convolution" and layer.values["groups"] == 1 for layer in plan.first)


def child_name(layer: Layer) -> str:
    """Return the name of a layer's block: ncnn's files have no place for white space."""
    return "_".join(layer.name.split())
