"""Export to TFLite's file; the result is verified."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.atomic_io import replacing
from gluon_yolo.exporters.ir.decode import with_decoding
from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph, Node
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.tflite.activations import kind_of_clip, tanh_of_softplus
from gluon_yolo.exporters.tflite.arrays import Array, Arrays, Int8
from gluon_yolo.exporters.tflite.ops import add_step
from gluon_yolo.exporters.verify import BOUNDS, Parity
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.runtimes.tflite import TFLiteRuntime
from gluon_yolo.spec import DetectionSpec

_COLOURS = 3


def make_file(
    graph: InferenceGraph,
    shape: tuple[int, int, int],
    half: bool = False,
    int8: Int8 | None = None,
) -> bytes:
    """Turn a graph into a TFLite file.

    Its input is ``data``, (B, H, W, 3) uint8 RGB. Its outputs have the names of the graph's; those that are
    maps lie as (B, H, W, K).

    Args:
        graph: of any cut.
        shape: batch, height and width of the input; the file takes no other.
        half: store the weights of convolutions in float16; the computation is in float32.
        int8: what of the graph is in int8; None for nothing.

    Raises:
        UserError: TFLite has no operator for a step.
    """
    build = Arrays(int8, half)
    batch, *sides = shape
    arrays: dict[str, Array] = {INPUT: build.input(INPUT, (batch, _COLOURS, *sides))}
    fused, inner = _fused(graph), graph.within_mish()
    for node in graph.nodes:
        if node.name in arrays or node.name in inner:
            continue
        if node.inputs[0] in inner:
            (source,) = inner[node.inputs[0]].inputs
            arrays[node.name] = tanh_of_softplus(build, node, arrays[source])
            continue
        given = [arrays[name] for name in graph.arrays_of(node)]
        weights = graph.weights_of(node)
        behind = fused.get(node.name)
        kind = "" if behind is None else kind_of_clip(behind) if behind.op == "clip" else "relu"
        name = node.name if behind is None else behind.name
        arrays[name] = add_step(build, node, given, weights, kind, name)
    outputs = {}
    for name, step in graph.outputs.items():
        array = build.in_float(arrays[step])
        build.file.rename(array.place, name)
        outputs[name] = array.place
    return build.file.to_bytes({INPUT: arrays[INPUT].place}, outputs)


def _fused(graph: InferenceGraph) -> dict[str, Node]:
    """Return, by the name of a convolution, the activation after it that becomes part of it."""
    readers, kept = graph.readers, set(graph.outputs.values())
    found = {}
    for node in graph.nodes:
        behind = readers.get(node.name, [])
        if node.op == "convolution" and len(behind) == 1 and node.name not in kept:
            if behind[0].op == "relu" or (behind[0].op == "clip" and kind_of_clip(behind[0])):
                found[node.name] = behind[0]
    return found


def cut_graph(
    graph: InferenceGraph, spec: DetectionSpec, cut: str, size_hw: tuple[int, int]
) -> InferenceGraph:
    """Return a graph that ends at a cut, ``decoded`` or ``raw``; that of a landmark network is ``raw``."""
    return graph if cut == "raw" else with_decoding(graph, spec, size_hw)


def write_cut(request: Request, path: Path, cut: str, int8: Int8 | None = None) -> ExportedFormat:
    """Write the model with a cut to a file, and return the format's entry of the record."""
    shape = request.one_shape
    graph = cut_graph(request.graph, request.net.spec, cut, request.size_hw)
    with replacing(path) as part:
        part.write_bytes(make_file(graph, shape, request.precision == "float16", int8))
    return ExportedFormat((path.name,), cut, tuple(graph.outputs), fixed=shape)


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.tflite``, and compare its results.

    Raises:
        UserError: an operator is not supported, or the network's weights are damaged.
        WrongResults: LiteRT gives other boxes and scores.
    """
    file = f"{request.name}.tflite"
    graph = write_cut(request, folder / file, request.cut or "decoded")
    runtime = TFLiteRuntime(folder / file, request.net.spec, graph.shape)
    return graph, request.reference.demand(runtime, file, BOUNDS[request.precision])
