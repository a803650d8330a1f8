"""Caffe's two files: an InferenceGraph -> NAME.prototxt and NAME.caffemodel, for one input size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gluon_yolo.atomic_io import replacing
from gluon_yolo.caffe import binary, text
from gluon_yolo.exporters.caffe.layers import CaffeBuilder
from gluon_yolo.exporters.caffe.ops import add_step, add_tanh_of_softplus
from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph


def make_net(graph: InferenceGraph, name: str, size_hw: tuple[int, int], batch: int = 1) -> Any:
    """Turn a graph into a NetParameter of BVLC's Caffe, with weights.

    The input blob is ``data``, float32 (B, 3, H, W) RGB in 0..255. The output blobs have the names of the
    graph's outputs, ``raw_0``, ``raw_1``, ...; other blobs those of their steps.

    Args:
        graph: with the raw maps as outputs.
        name: of the network.
        size_hw: height and width of the input in pixels.
        batch: number of images.

    Raises:
        UserError: Caffe has no layer for a step.
    """
    build = CaffeBuilder(name)
    readers = graph.readers
    inner = graph.within_mish()
    blobs = {INPUT: build.add_input(INPUT, batch, (3, *size_hw))}
    for node in graph.nodes:
        if node.op == "planes":  # the input is a map already
            blobs[node.name] = INPUT
        elif node.name in inner:
            blobs[node.name] = blobs[node.inputs[0]]
        else:
            arrays = [blobs[source] for source in graph.arrays_of(node)]
            weights = graph.weights_of(node)
            if node.op == "tanh" and node.inputs[0] in inner:
                blobs[node.name] = add_tanh_of_softplus(build, node.name, arrays[0])
            else:
                blobs[node.name] = add_step(build, node, arrays, weights)
    names, steps = {}, list(graph.outputs.values())
    for output, step in graph.outputs.items():
        if step in readers or steps.count(step) > 1:  # Caffe's outputs are the blobs that no layer reads
            build.add("Power", output, (blobs[step],))
        else:
            names[blobs[step]] = output
    _rename(build.net, names)
    return build.net


def write_model(net: Any, folder: str | os.PathLike[str], name: str) -> None:
    """Write ``NAME.prototxt`` and ``NAME.caffemodel``, each atomically.

    Args:
        net: from :func:`make_net`.
        folder: an existing folder.
        name: of the model.
    """
    contents = {"prototxt": text.write(net).encode(), "caffemodel": binary.write(net)}
    for ending, content in contents.items():
        with replacing(Path(folder) / f"{name}.{ending}") as part:
            part.write_bytes(content)


def _rename(net: Any, names: dict[str, str]) -> None:
    """Give layers, and their blobs, other names; no layer reads these blobs."""
    for layer in net.layer:
        if layer.name in names:
            layer.top[0] = layer.name = names[layer.name]
