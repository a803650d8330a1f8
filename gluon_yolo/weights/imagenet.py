"""ImageNet classifiers of torchvision and timm: names and form of their backbones.

Their networks are those here, layer by layer. They differ in the names, in the activation, and in the
normalisation of the input. All have batch normalisation with the epsilon 1e-5 and symmetric padding, as here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Callable

import numpy as np

from gluon_yolo.models.backbones import darknet53, mobilenet, mobilenetv2
from gluon_yolo.spec import BackboneForm

HALF = (0.5, 0.5, 0.5)
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}
Names = Iterator[tuple[str, str]]  # of a convolution and of its batch normalisation


def timm_mobilenet() -> Names:
    """Yield the layer names of timm's MobileNetV1, in the order of computation."""
    yield "conv_stem", "bn1"
    group, block = 0, -1
    for _, stride in (pair for stage in mobilenet.STAGES for pair in stage):
        group, block = (group + 1, 0) if stride == 2 else (group, block + 1)
        place = f"blocks.{group}.{block}"
        yield f"{place}.conv_dw", f"{place}.bn1"
        yield f"{place}.conv_pw", f"{place}.bn2"


def timm_mobilenetv2() -> Names:
    """Yield the layer names of timm's MobileNetV2, in the order of computation."""
    yield "conv_stem", "bn1"
    group, block, before = -1, 0, 0
    for expansion, channels, _ in (row for stage in mobilenetv2.STAGES for row in stage):
        group, block = (group + 1, 0) if channels != before else (group, block + 1)
        before = channels
        layers = ("conv_pw", "conv_dw", "conv_pwl") if expansion != 1 else ("conv_dw", "conv_pw")
        for number, layer in enumerate(layers, 1):
            yield f"blocks.{group}.{block}.{layer}", f"blocks.{group}.{block}.bn{number}"
    yield "conv_head", "bn2"


def timm_darknet53() -> Names:
    """Yield the layer names of timm's Darknet-53, in the order of computation."""
    yield "stem.conv1.conv", "stem.conv1.bn"
    for stage, (_, repeats) in enumerate(group for groups in darknet53.STAGES for group in groups):
        layers = ["conv_down", *(f"blocks.{block}.conv{n}" for block in range(repeats) for n in (1, 2))]
        for layer in layers:
            yield f"stages.{stage}.{layer}.conv", f"stages.{stage}.{layer}.bn"


def torchvision_mobilenetv2() -> Names:
    """Yield the layer names of torchvision's MobileNetV2, in the order of computation."""
    yield "features.0.0", "features.0.1"
    rows = [row for stage in mobilenetv2.STAGES for row in stage]
    for number, (expansion, _, _) in enumerate(rows, 1):
        place = f"features.{number}.conv"
        activated = 1 if expansion == 1 else 2
        for layer in range(activated):
            yield f"{place}.{layer}.0", f"{place}.{layer}.1"
        yield f"{place}.{activated}", f"{place}.{activated + 1}"
    yield f"features.{len(rows) + 1}.0", f"features.{len(rows) + 1}.1"


@dataclasses.dataclass(frozen=True)
class Source:
    """A classifier of another program.

    Args:
        name: for messages.
        network: beginning of the names in the zoo of the networks with this backbone.
        names: yields its layers' names, in the order of computation.
        form: of the backbone that its weights need.
        divisor: of which its widths are multiples where they are scaled; 0 where this makes no difference.
    """

    name: str
    network: str
    names: Callable[[], Names]
    form: BackboneForm = BackboneForm()
    divisor: int = 0


SOURCES = (
    Source("torchvision's MobileNetV2", "yolo3_mobilenetv2_", torchvision_mobilenetv2, divisor=8),
    Source("timm's MobileNetV2", "yolo3_mobilenetv2_", timm_mobilenetv2, divisor=8),
    Source(
        "timm's MobileNetV1", "yolo3_mobilenet", timm_mobilenet, BackboneForm("relu6", mean=HALF, std=HALF)
    ),
    Source("timm's Darknet-53", "yolo3_darknet53", timm_darknet53, BackboneForm("leaky0.01")),
)


def recognised(arrays: Mapping[str, np.ndarray]) -> tuple[Source, dict[str, np.ndarray]] | None:
    """Return the classifier that arrays are of, and the arrays without a common prefix; None for others.

    Args:
        arrays: by the file's names, such as ``module.features.0.0.weight``.
    """
    for source in SOURCES:
        first, *_ = wanted = [f"{layer}.weight" for pair in source.names() for layer in pair]
        paths = [name[: -len(first)] for name in arrays if f".{name}".endswith(f".{first}")]
        for path in paths:
            if all(path + each in arrays for each in wanted):
                found = {name[len(path) :]: array for name, array in arrays.items() if name.startswith(path)}
                return source, found
    return None


def parameter_names(source: Source, layers: Sequence[str]) -> dict[str, str]:
    """Return the names of the backbone's parameters: from the source's to this package's.

    Args:
        source: of the arrays.
        layers: names of the network's convolutions, in the order of computation.
    """
    names = {}
    for (convolution, norm), layer in zip(source.names(), layers):
        names[f"{convolution}.weight"] = f"{layer}.weight"
        place = layer[: -len(".0")]
        names.update({f"{norm}.{theirs}": f"{place}.1.{ours}" for theirs, ours in NORM.items()})
    return names
