"""Write a network as an ONNX file, held to the network's own boxes and scores."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from gluon_yolo._version import __version__
from gluon_yolo.atomic_io import replacing
from gluon_yolo.exporters.ir.decode import BOXES, SCORES, with_decoding
from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph
from gluon_yolo.exporters.onnx.nms import NMSOptions, add_nms
from gluon_yolo.exporters.onnx.ops import OPSET, OnnxBuilder, add_step, helper, onnx
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS, Parity
from gluon_yolo.inference import embedded_record
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.onnxruntime import OnnxRuntime
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.spec import DetectionSpec

IR_VERSION = 7  # the one of operator set 13: runtimes since the end of 2020 read it, and so do today's
CUTS = ("nms", "decoded", "raw")
PIXELS = {"uint8": onnx.TensorProto.UINT8, "float32": onnx.TensorProto.FLOAT}


def make_model(
    graph: InferenceGraph,
    spec: DetectionSpec,
    name: str,
    cut: str = "decoded",
    suppression: NMSOptions | None = None,
    pixels: str = "uint8",
    fixed: tuple[int, int, int] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Turn a graph into an ONNX model.

    Its input is ``data``, (B, H, W, 3) RGB in 0..255, H and W multiples of the largest stride. Its outputs:

    - ``raw``: the graph's own, (B, K, H / s, W / s);
    - ``decoded``: ``boxes`` (B, N, 4), corners in input pixels, ``scores`` (B, N, C);
    - ``nms``: ``ids`` (B, K, 1), ``scores`` (B, K, 1), ``bboxes`` (B, K, 4), best first, rows of -1 filling
      up, as the symbol of that cut gives them.

    Args:
        graph: it ends at the raw maps.
        spec: of the network.
        name: of the model.
        cut: where the model ends.
        suppression: the thresholds of ``nms``.
        pixels: type of the input, ``uint8`` or ``float32``.
        fixed: batch, height and width where they are to be fixed; None leaves them open.
        metadata: for the file's own record, beside package, spec and class names.

    Raises:
        ValueError: when the cut or the type is unknown.
        onnx.checker.ValidationError: when the model breaks ONNX's rules.
    """
    if cut not in CUTS or pixels not in PIXELS:
        raise ValueError(f"expected one of {CUTS} and of {tuple(PIXELS)}, got {cut!r} and {pixels!r}")
    whole = graph if cut == "raw" else with_decoding(graph, spec, fixed[1:] if fixed else None)
    build = OnnxBuilder()
    for weight, array in whole.weights.items():
        build.constant(array, weight)
    names = {} if cut == "nms" else {node: output for output, node in whole.outputs.items()}
    for node in whole.nodes:
        add_step(
            build, node, [names.get(name, name) for name in node.inputs], names.get(node.name, node.name)
        )
    batch, height, width = fixed or ("batch", "height", "width")
    outputs = _outputs(whole, spec, batch, fixed[1:] if fixed else None)
    if cut == "nms":
        decoded = [whole.outputs[BOXES], whole.outputs[SCORES]]
        outputs = add_nms(build, *decoded, suppression or NMSOptions(), batch)
    model = helper.make_model(
        helper.make_graph(
            build.nodes,
            name,
            [helper.make_tensor_value_info(INPUT, PIXELS[pixels], (batch, height, width, 3))],
            [
                helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, shape)
                for output, shape in outputs.items()
            ],
            list(build.initializers.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="gluon_yolo",
        producer_version=__version__,
    )
    helper.set_model_props(model, {**_metadata(spec, cut), **(metadata or {})})
    onnx.checker.check_model(model, full_check=True)
    return model


def add_record(model: onnx.ModelProto, record: ModelRecord) -> None:
    """Let a model's metadata hold what its ``NAME.json`` says, so that the file can be used alone."""
    entry = onnx.StringStringEntryProto(key=embedded_record.KEY, value=embedded_record.text_of(record))
    model.metadata_props.append(entry)


def write_model(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, whole or not at all."""
    with replacing(Path(path)) as part:
        part.write_bytes(model.SerializeToString())


def _outputs(
    graph: InferenceGraph, spec: DetectionSpec, batch: int | str, size_hw: tuple[int, int] | None
) -> dict[str, tuple]:
    """Return the shapes of raw maps, or of boxes and scores, by their names; names of sides that are open."""
    sides: list[tuple] = [(f"rows_{level}", f"columns_{level}") for level in range(spec.num_levels)]
    anchors: int | str = "anchors"
    if size_hw is not None:
        sides = [(size_hw[0] // stride, size_hw[1] // stride) for stride in spec.strides]
        anchors = sum(count * rows * wide for count, (rows, wide) in zip(spec.anchors_per_level, sides))
    if set(graph.outputs) == {BOXES, SCORES}:
        return {BOXES: (batch, anchors, 4), SCORES: (batch, anchors, spec.num_classes)}
    rule = head_layout_of(spec)
    channels = [rule.channels(count, spec.num_classes) for count in spec.anchors_per_level]
    return {name: (batch, channels[level], *sides[level]) for level, name in enumerate(graph.outputs)}


def _metadata(spec: DetectionSpec, cut: str) -> dict[str, str]:
    return {
        "package": f"gluon_yolo {__version__}",
        "cut": cut,
        "input": "data: (B, H, W, 3) RGB pixels 0..255",
        "class_names": json.dumps(spec.class_names, ensure_ascii=False),
        "spec": json.dumps(spec.to_dict(), ensure_ascii=False),
    }


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.onnx``, as :func:`gluon_yolo.exporters.onnx.write.make_model` makes it, and run it.

    The model takes any batch, and any height and width that are multiples of the network's largest stride,
    unless the request fixes them. A cut at ``nms`` is compared where it is decoded, as suppression is a
    choice between equals.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when ONNX Runtime gives other boxes and scores with it.
    """
    cut, file = usual_cut(request), f"{request.name}.onnx"
    graph = write_cut(request, folder / file, cut, request.record)
    tried = folder / file
    if cut == "nms":
        tried = folder / f"{request.name}-decoded.onnx"
        write_cut(request, tried, "decoded")
    return graph, request.reference.demand(OnnxRuntime(tried, request.net.spec), file, BOUNDS["float32"])


def usual_cut(request: Request) -> str:
    """Return where the graph ends: as asked, else behind suppression, which readers of fixed files lack."""
    return request.cut or ("nms" if request.fixed is None else "decoded")


def write_cut(request: Request, path: Path, cut: str, record: ModelRecord | None = None) -> ExportedFormat:
    """Write the model with this end to a file, and return what a record says of it.

    Args:
        request: the network, its name and thresholds.
        path: of the file.
        cut: where the graph ends.
        record: of the model, but for its graphs, for the file to hold itself; None leaves it out.
    """
    model = make_model(
        request.graph,
        request.net.spec,
        request.name,
        cut,
        request.suppression,
        fixed=request.fixed,
        metadata={"fit": request.fit},
    )
    outputs = tuple(output.name for output in model.graph.output)
    numbers = dict(vars(request.suppression)) if cut == "nms" else None
    graph = ExportedFormat((path.name,), cut, outputs, (), numbers, request.fixed)
    if record is not None:
        add_record(model, record.of_one("onnx", graph))
    write_model(model, path)
    return graph
