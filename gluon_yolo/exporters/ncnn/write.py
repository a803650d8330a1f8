"""Write a network as ncnn's two files, held to the network's own boxes and scores."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.atomic_io import replacing
from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph, Node
from gluon_yolo.exporters.ncnn.layers import Layer, NcnnBuilder, param_text, weight_bytes
from gluon_yolo.exporters.ncnn.ops import FUSED, add_step
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS, Parity
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.runtimes.ncnn import NcnnRuntime

STORAGES = ("float32", "float16")


def make_layers(graph: InferenceGraph) -> list[Layer]:
    """Turn a graph into ncnn's layers.

    The input blob is ``data``, float32 (3, H, W) RGB planes in 0..255, which is what
    ``Mat::from_pixels(..., PIXEL_RGB, W, H)`` makes; H and W multiples of the largest stride. The output
    blobs are called as the graph's outputs, ``raw_0``, ``raw_1``, ...; the others as the steps that give
    them.

    Args:
        graph: it ends at the raw maps.

    Raises:
        UserError: when ncnn has no layer for a step.
    """
    build = NcnnBuilder()
    fused = _fused(graph)
    blobs: dict[str, str] = {INPUT: INPUT}
    for node in graph.nodes:
        if node.name not in blobs:
            arrays = [blobs[name] for name in node.inputs if name not in graph.weights]
            weights = [graph.weights[name] for name in node.inputs if name in graph.weights]
            activation = fused.get(node.name, ())
            blobs[node.name] = add_step(build, node, arrays, weights, activation)
            blobs.update({step.name: blobs[node.name] for step in activation})
    return _split(build.layers, {name: blobs[node] for name, node in graph.outputs.items()})


def write_model(
    layers: Sequence[Layer], folder: str | os.PathLike[str], name: str, storage: str = "float32"
) -> None:
    """Write ``NAME.param`` and ``NAME.bin`` into a folder, each whole or not at all.

    Args:
        layers: of :func:`make_layers`.
        folder: is there.
        name: of the model.
        storage: of the convolutions' weights: ``float32``, or ``float16``, which halves the file and says
            nothing of how the device computes.

    Raises:
        ValueError: when the storage is unknown.
    """
    if storage not in STORAGES:
        raise ValueError(f"expected {' or '.join(STORAGES)}, got {storage!r}")
    contents = {
        "bin": b"".join(weight_bytes(layer, half=storage == "float16") for layer in layers),
        "param": param_text(layers).encode(),
    }
    for ending, content in contents.items():
        with replacing(Path(folder) / f"{name}.{ending}") as part:
            part.write_bytes(content)


def _fused(graph: InferenceGraph) -> dict[str, list[Node]]:
    """Return by name of a convolution the steps behind it that ncnn makes part of it."""
    readers, kept = graph.readers, set(graph.outputs.values())
    found = {}
    for node in graph.nodes:
        steps = _apart(node.name, readers) if node.op == "convolution" else []
        inner = {step.name for step in (node, *steps[:-1])}
        if not inner & kept and tuple(step.op for step in steps) in FUSED:
            found[node.name] = steps
    return found


def _apart(name: str, readers: Mapping[str, list[Node]]) -> list[Node]:
    """Return the steps from an array's first reader to its second, if any, where no other reads between."""
    direct = readers.get(name, [])
    steps = direct[:1] if len(direct) <= 2 else []
    while steps and steps[-1] is not direct[-1]:
        behind = readers.get(steps[-1].name, [])
        steps = steps + behind if len(behind) == 1 else []
    return steps


def _split(layers: Sequence[Layer], outputs: dict[str, str]) -> list[Layer]:
    """Give blobs that are outputs those names, and a copy to each who reads one: in ncnn just one may.

    Args:
        layers: in order, each with one output.
        outputs: by name, the blob.
    """
    wanted: dict[str, list[str]] = {}  # by blob, the names of its copies that are yet to be read
    for name, blob in outputs.items():
        wanted.setdefault(blob, []).append(name)
    for layer in layers:
        for blob in layer.inputs:
            copies = wanted.setdefault(blob, [])
            copies.append(f"{blob}_split_{len(copies)}")
    alone = {blob for blob, copies in wanted.items() if len(copies) == 1}
    for blob in alone - set(outputs.values()):
        wanted[blob] = [blob]
    unread = {blob: [name for name in copies if name not in outputs] for blob, copies in wanted.items()}
    done = []
    for layer in layers:
        inputs = tuple(unread[blob].pop(0) for blob in layer.inputs)
        (blob,) = layer.outputs
        own = wanted[blob][0] if blob in alone else blob
        done.append(dataclasses.replace(layer, inputs=inputs, outputs=(own,)))
        if blob not in alone:
            done.append(Layer("Split", f"{blob}_split", (blob,), tuple(wanted[blob])))
    return done


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.param`` and ``NAME.bin``, and run them; the graph ends at the raw maps.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when ncnn gives other boxes and scores with them.
    """
    name = request.name
    write_model(make_layers(request.graph), folder, name, request.precision)
    runtime = NcnnRuntime(folder, name, request.net.spec)
    graph = request.raw(f"{name}.param", f"{name}.bin")
    return graph, request.reference.demand(runtime, name, BOUNDS[request.precision])
