"""ncnn's two files: an InferenceGraph -> NAME.param and NAME.bin, for any input size."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.atomic_io import replacing
from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph, Node
from gluon_yolo.exporters.ncnn.layers import Layer, NcnnBuilder, param_text, weight_bytes
from gluon_yolo.exporters.ncnn.ops import FUSED, add_step

STORAGES = ("float32", "float16")


def make_layers(graph: InferenceGraph) -> list[Layer]:
    """Turn a graph into ncnn layers.

    The input blob is ``data``, float32 (3, H, W) RGB planes in 0..255, as ``Mat::from_pixels(..., PIXEL_RGB,
    W, H)`` returns them; H and W are multiples of the largest stride. The output blobs have the names of the
    graph's outputs, ``raw_0``, ``raw_1``, ...; other blobs those of their steps.

    Args:
        graph: with the raw maps as outputs.

    Raises:
        UserError: ncnn has no layer for a step.
    """
    build = NcnnBuilder()
    fused = _fused(graph)
    blobs: dict[str, str] = {INPUT: INPUT}
    for node in graph.nodes:
        if node.name not in blobs:
            arrays = [blobs[name] for name in graph.arrays_of(node)]
            weights = graph.weights_of(node)
            activation = fused.get(node.name, ())
            blobs[node.name] = add_step(build, node, arrays, weights, activation)
            blobs.update({step.name: blobs[node.name] for step in activation})
    return _split(build.layers, {name: blobs[node] for name, node in graph.outputs.items()})


def write_model(
    layers: Sequence[Layer], folder: str | os.PathLike[str], name: str, storage: str = "float32"
) -> None:
    """Write ``NAME.param`` and ``NAME.bin``, each atomically.

    Args:
        layers: from :func:`make_layers`.
        folder: an existing folder.
        name: of the model.
        storage: type of the convolutions' weights: ``float32``, or ``float16``, which halves the file; it
            does not affect the precision of the computation.

    Raises:
        ValueError: ``storage`` is unknown.
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
    """Return, by the name of a convolution, the steps after it that become part of it."""
    readers, kept = graph.readers, set(graph.outputs.values())
    found = {}
    for node in graph.nodes:
        steps = _apart(node.name, readers) if node.op == "convolution" else []
        inner = {step.name for step in (node, *steps[:-1])}
        if not inner & kept and tuple(step.op for step in steps) in FUSED:
            found[node.name] = steps
    return found


def _apart(name: str, readers: Mapping[str, list[Node]]) -> list[Node]:
    """Return the steps between two readers of an array, if no other step reads their results."""
    direct = readers.get(name, [])
    steps = direct[:1] if len(direct) <= 2 else []
    while steps and steps[-1] is not direct[-1]:
        behind = readers.get(steps[-1].name, [])
        steps = steps + behind if len(behind) == 1 else []
    return steps


def _split(layers: Sequence[Layer], outputs: dict[str, str]) -> list[Layer]:
    """Rename blobs to the outputs' names, and copy blobs with several readers: ncnn allows one reader.

    Args:
        layers: in order, each with one output.
        outputs: blob by the name of the output.
    """
    wanted: dict[str, list[str]] = {}  # by blob: names of its copies that have no reader yet
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
