"""A small network of Caffe's, with each kind of layer that is read, and random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gluon_yolo.caffe import binary, blobs, text

SIDE = 17
CONV = "convolution_param { num_output: 6 kernel_size: 3 pad: 1 %s}"
INPUT = (
    'layer { name: "data" type: "Input" top: "data" '
    f"input_param {{ shape {{ dim: 1 dim: 3 dim: {SIDE} dim: {SIDE} }} }} }}"
)


def layer(name: str, kind: str, bottoms: str, top: str = "", parameters: str = "") -> str:
    """Return a layer's text; without a top it has its own name."""
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {reads} top: "{top or name}" {parameters} }}'


LAYERS = (
    INPUT,
    layer("c1", "Convolution", "data", "", CONV % "stride: 2 bias_term: false"),
    layer("b1", "BatchNorm", "c1", "c1", "batch_norm_param { eps: 0.001 }"),
    layer("s1", "Scale", "c1", "c1", "scale_param { bias_term: true }"),
    layer("p1", "PReLU", "c1", "c1"),
    layer("c2", "Convolution", "c1", "", CONV.replace("pad: 1", "pad: 2") % "group: 3 dilation: 2 "),
    layer("r2", "ReLU", "c2", "c2", "relu_param { negative_slope: 0.125 }"),
    layer(
        "c3",
        "Convolution",
        "c1",
        "",
        "convolution_param { num_output: 6 kernel_h: 1 kernel_w: 3 pad_h: 0 pad_w: 2 }",
    ),
    layer("c4", "Convolution", "c3", "", "convolution_param { num_output: 6 kernel_h: 1 kernel_w: 3 }"),
    layer("p4", "PReLU", "c4", "c4", "prelu_param { channel_shared: true }"),
    layer("sum", "Eltwise", "c2 c4", "", "eltwise_param { operation: SUM coeff: 0.5 coeff: -2 }"),
    layer("prod", "Eltwise", "sum c1", "", "eltwise_param { operation: PROD }"),
    layer("max", "Eltwise", "prod c1 c2", "", "eltwise_param { operation: MAX }"),
    layer("copy", "Split", "max"),
    layer("cat", "Concat", "copy c4"),
    layer("pool", "Pooling", "cat", "", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"),
    layer("mean", "Pooling", "pool", "", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"),
    layer("ip1", "InnerProduct", "mean", "", "inner_product_param { num_output: 10 }"),
    layer("r5", "ReLU", "ip1", "ip1"),
    layer("ip2", "InnerProduct", "ip1", "", "inner_product_param { num_output: 8 bias_term: false }"),
    layer("b6", "BatchNorm", "ip2", "ip2"),
    layer("s6", "Scale", "ip2", "ip2", "scale_param { bias_term: true }"),
)


def write(
    folder: Path, layers: tuple[str, ...] = LAYERS, seed: int = 0, name: str = "small"
) -> tuple[Path, Path]:
    """Write the prototxt and a caffemodel with random weights; return both paths."""
    from gluon_yolo.models.caffe.plan import make_plan

    prototxt, caffemodel = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
    prototxt.write_text("\n".join(layers) + "\n")
    net, rng = text.read(prototxt), np.random.default_rng(seed)
    shapes = {one.name: (one.kind, one.weights) for one in make_plan(prototxt).layers}
    for one in net.layer:
        kind, sides = shapes.get(one.name, ("", ()))
        arrays = [rng.normal(0, 1 / np.sqrt(max(1, np.prod(side[1:]))), side) for side in sides]
        if kind == "BatchNorm":
            arrays = [arrays[0], rng.uniform(0.5, 4, sides[1]), np.array([2.5])]
        one.blobs.extend(blobs.blob_of(array.astype(np.float32)) for array in arrays)
    caffemodel.write_bytes(binary.write(net))
    return prototxt, caffemodel
