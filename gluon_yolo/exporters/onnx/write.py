"""Export to an ONNX file; the result is verified."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from gluon_yolo.landmarks import OUTPUT, TASK, LandmarkSpec
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.spec import DetectionSpec

IR_VERSION = 7  # that of operator set 13: runtimes from the end of 2020 until today read it
_PIXELS = "data: (B, H, W, 3) RGB pixels 0..255"
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

    Its input is ``data``, (B, H, W, 3) RGB in 0..255, H and W multiples of the largest stride. Its outputs by
    ``cut``:

    - ``raw``: the graph's own, (B, K, H / stride, W / stride);

    - ``decoded``: ``boxes`` (B, N, 4), corners in input pixels, ``scores`` (B, N, C);

    - ``nms``: ``ids`` (B, K, 1), ``scores`` (B, K, 1), ``bboxes`` (B, K, 4), by descending score; unused rows
      are -1, as in the symbol with that cut.

    Args:
        graph: with the raw maps as outputs.
        spec: of the network.
        name: of the model.
        cut: where the model ends.
        suppression: thresholds of ``nms``.
        pixels: type of the input, ``uint8`` or ``float32``.
        fixed: batch, height and width of a fixed input shape; None does not fix it.
        metadata: for the file, beside package, spec and class names.

    Raises:
        ValueError: the cut or the type is unknown.
        onnx.checker.ValidationError: the model is no valid ONNX.
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
    batch, height, width = fixed or ("batch", *_sides(spec))
    outputs = _outputs(whole, spec, batch, fixed[1:] if fixed else None)
    if cut == "nms":
        boxes, scores = whole.outputs[BOXES], whole.outputs[SCORES]
        outputs = add_nms(build, boxes, scores, suppression or NMSOptions(), batch)
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
    """Add the text of ``NAME.json`` to a model's metadata, so that the file is complete without it."""
    entry = onnx.StringStringEntryProto(key=embedded_record.KEY, value=embedded_record.text_of(record))
    model.metadata_props.append(entry)


def write_model(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, atomically."""
    with replacing(Path(path)) as part:
        part.write_bytes(model.SerializeToString())


def _outputs(
    graph: InferenceGraph, spec: DetectionSpec, batch: int | str, size_hw: tuple[int, int] | None
) -> dict[str, tuple[Any, ...]]:
    """Return the shapes of the outputs by name; a side that is not fixed is a name."""
    if isinstance(spec, LandmarkSpec):
        return {OUTPUT: (batch, 2 * spec.num_points)}
    sides: list[tuple[Any, ...]] = [(f"rows_{level}", f"columns_{level}") for level in range(spec.num_levels)]
    anchors: int | str = "anchors"
    if size_hw is not None:
        sides = [(size_hw[0] // stride, size_hw[1] // stride) for stride in spec.strides]
        anchors = sum(count * rows * wide for count, (rows, wide) in zip(spec.anchors_per_level, sides))
    if set(graph.outputs) == {BOXES, SCORES}:
        return {BOXES: (batch, anchors, 4), SCORES: (batch, anchors, spec.num_classes)}
    rule = head_layout_of(spec)
    channels = [rule.channels(count, spec.num_classes) for count in spec.anchors_per_level]
    return {name: (batch, channels[level], *sides[level]) for level, name in enumerate(graph.outputs)}


def _sides(spec: Any) -> tuple[Any, Any]:
    """Return height and width of an input that is not fixed; a landmark network has one size."""
    return spec.size_hw if isinstance(spec, LandmarkSpec) else ("height", "width")


def _metadata(spec: DetectionSpec, cut: str) -> dict[str, str]:
    if isinstance(spec, LandmarkSpec):
        text = json.dumps(spec.to_dict(), ensure_ascii=False)
        return {"package": f"gluon_yolo {__version__}", "input": _PIXELS, "task": TASK, "spec": text}
    return {
        "package": f"gluon_yolo {__version__}",
        "cut": cut,
        "input": _PIXELS,
        "class_names": json.dumps(spec.class_names, ensure_ascii=False),
        "spec": json.dumps(spec.to_dict(), ensure_ascii=False),
    }


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.onnx`` with :func:`gluon_yolo.exporters.onnx.write.make_model`, and compare its results.

    The model takes any batch, and any height and width that are multiples of the largest stride, unless the
    request fixes them. A model that ends after NMS is compared at its decoded boxes, because NMS chooses
    between equal scores.

    Raises:
        UserError: an operator is not supported, or the network's weights are damaged.
        WrongResults: ONNX Runtime gives other boxes and scores.
    """
    cut, file = usual_cut(request), f"{request.name}.onnx"
    graph = write_cut(request, folder / file, cut, request.record)
    tried = folder / file
    if cut == "nms":
        tried = folder / f"{request.name}-decoded.onnx"
        write_cut(request, tried, "decoded")
    return graph, request.reference.demand(OnnxRuntime(tried, request.net.spec), file, BOUNDS["float32"])


def usual_cut(request: Request) -> str:
    """Return where the graph ends; the default is ``nms``, for a fixed shape ``decoded``."""
    return request.cut or ("nms" if request.fixed is None else "decoded")


def write_cut(request: Request, path: Path, cut: str, record: ModelRecord | None = None) -> ExportedFormat:
    """Write the model with a cut to a file, and return the format's entry of the record.

    Args:
        request: the network, its name and thresholds.
        path: of the file.
        cut: where the graph ends.
        record: of the model, without its formats, to be included in the file; None leaves it out.
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
