"""Int8 quantization of an ONNX model by ONNX Runtime's quantizer, calibrated on images.

Every convolution before another one computes in int8, as do activations, sums, concatenations, pools and
shuffles between two of them. The normalisation of the input, the convolutions of the raw maps, and decoding
stay in float32, because the values of a raw map cover dozens of units. Weights are int8 per channel;
activations are uint8, which is the fastest on CPUs with VNNI. The file has pairs of QuantizeLinear and
DequantizeLinear (ONNX operator set 13), which ONNX Runtime and OpenVINO fuse with the operators between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from gluon_yolo.errors import MissingDependency, UserError, explain
from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph
from gluon_yolo.exporters.onnx.int8_layers import BETWEEN, in_int8, layers, to_be_held
from gluon_yolo.exporters.onnx.ops import helper, onnx
from gluon_yolo.exporters.onnx.write import make_model, write_model
from gluon_yolo.exporters.quantize.calibrate import Progress, Ranges, calibrate_ranges, seen_within
from gluon_yolo.inference.runtimes.base import import_package, threads
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system.scratch import temporary_folder

_OPERATORS = ("Conv", *BETWEEN.values())
_LOWEST = "lowest_float"


def calibrate(
    graph: InferenceGraph,
    spec: DetectionSpec,
    batches: Iterable[np.ndarray],
    method: str = "minmax",
    progress: Progress | None = None,
) -> Ranges:
    """Run images through a graph and return the range of every array that can be in int8.

    Images run one by one, and their arrays are not kept.

    Args:
        graph: with the raw maps as outputs.
        spec: of the network.
        batches: of preprocessed images (B, h, w, 3) uint8 RGB; read once, in order.
        method: a key of :data:`gluon_yolo.exporters.quantize.calibrate.METHODS`.
        progress: function that is called with ``pictures``, the number done, None; with ``entropy`` also with
            ``ranges``, the number done, and the total.

    Returns:
        Minimum and maximum by the array's name.

    Raises:
        MissingDependency: onnxruntime is not installed.
        UserError: the method is unknown, there are no images, or values are not finite.
    """
    names = to_be_held(graph)
    session = _session(graph, spec, names)
    return calibrate_ranges(
        names, lambda image: session.run(names, {INPUT: image}), batches, method, progress, seen_within
    )


def quantize(
    model: onnx.ModelProto,
    graph: InferenceGraph,
    ranges: Ranges,
    excluded: Sequence[str] = (),
    portable: bool = True,
) -> onnx.ModelProto:
    """Turn a float32 model into one that computes in int8.

    Args:
        model: from :func:`gluon_yolo.exporters.onnx.write.make_model`, with any cut; it is not changed.
        Shapes
            that it has are not inferred again.
        graph: from which the model was made.
        ranges: from :func:`calibrate`.
        excluded: layers that stay in float32, from :func:`layers`.
        portable: keep sums of two products within 16 bits, for x86 CPUs without VNNI.

    Returns:
        The model with the same inputs, outputs and metadata.

    Raises:
        MissingDependency: onnxruntime is not installed.
        UserError: a layer is unknown.
    """
    tools = _tools()
    known = layers(graph)
    unknown = [layer for layer in excluded if layer not in known]
    if unknown:
        raise UserError(
            f"excluded layer {unknown[0]!r}: the network has none of that name; its layers are "
            f"{', '.join(known)}"
        )
    chosen = in_int8(graph, excluded)
    if chosen and not model.graph.value_info:
        copy = onnx.shape_inference.infer_shapes(model)
    else:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
    if not chosen:
        return copy
    limits = {name: tuple(np.float32(side) for side in sides) for name, sides in ranges.items()}
    quantizer = tools.QDQQuantizer(
        copy,
        True,  # weights per channel
        False,  # in all eight bits
        tools.QuantType.QInt8,
        tools.QuantType.QUInt8,
        tools.TensorsData(tools.CalibrationMethod.MinMax, limits),
        chosen,
        [],
        list(_OPERATORS),
        {"TensorQuantOverrides": _weight_ranges(copy, chosen, tools) if portable else {}},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    made = quantizer.model.model
    _keep_in_float(made.graph, excluded)
    del made.graph.value_info[:]  # shapes that were inferred for the quantizer
    standard = [opset for opset in made.opset_import if opset.domain in ("", "ai.onnx")]
    del made.opset_import[:]
    made.opset_import.extend(standard)
    made.ir_version = model.ir_version
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    del made.metadata_props[:]
    properties = {prop.key: prop.value for prop in model.metadata_props}
    helper.set_model_props(made, {**properties, "precision": "int8"})
    return made


def _tools() -> SimpleNamespace:
    """Return ONNX Runtime's quantization tools.

    Raises:
        MissingDependency: they do not load.
    """
    import_package("onnxruntime")
    try:
        from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
        from onnxruntime.quantization.quant_utils import QuantType
    except ImportError as error:
        raise MissingDependency(explain(error, "onnxruntime")) from error
    return SimpleNamespace(
        QDQQuantizer=QDQQuantizer,
        QuantType=QuantType,
        TensorsData=TensorsData,
        CalibrationMethod=CalibrationMethod,
    )


def _weight_ranges(
    model: onnx.ModelProto, chosen: Sequence[str], tools: SimpleNamespace
) -> dict[str, list[dict[str, Any]]]:
    """Return the range of each channel's weights by name, so wide that no sum of two products saturates."""
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    names = [
        node.input[1] for node in model.graph.node if node.op_type == "Conv" and node.name in set(chosen)
    ]
    return {
        name: [
            {"quant_type": tools.QuantType.QInt8, "symmetric": True, "axis": 0, "rmin": -reach, "rmax": reach}
            for reach in pair_ranges(onnx.numpy_helper.to_array(arrays[name]))
        ]
        for name in names
    }


def pair_ranges(weight: np.ndarray) -> np.ndarray:
    """Return the range of each channel's weights for which no sum of two products saturates.

    x86 CPUs without VNNI multiply two uint8 with two int8 and add the products in 16 bits, at most 32767: 255
    times 128 still fits. The program decides which weights of a channel are added. So the two largest weights
    of one sign, before rounding, are limited to 127 together. Depthwise convolutions add in 32 bits, and keep
    the range of their weights.

    Args:
        weight: (O, C / groups, kernel height, kernel width) float32.

    Returns:
        (O,) float32: the value of 127 steps of int8.
    """
    rows = weight.reshape(len(weight), -1)
    largest = np.abs(rows).max(axis=1)
    if weight.shape[1] == 1:
        return largest.astype(np.float32)
    of_sign = (np.sort(np.maximum(signed, 0), axis=1)[:, -2:].sum(axis=1) for signed in (rows, -rows))
    return np.maximum(largest, np.maximum(*of_sign)).astype(np.float32)


def _keep_in_float(graph: onnx.GraphProto, excluded: Sequence[str]) -> None:
    """Add an operation without effect after each excluded convolution between two in int8.

    Otherwise ONNX Runtime quantizes such a convolution when it loads the file, with one scale for all
    channels of the weight (its ``WeightBiasQuantization``), which can destroy a depthwise convolution.
    """
    producers = {output: node.op_type for node in graph.node for output in node.output}
    steps = []
    for node in graph.node:
        steps.append(node)
        if node.name in excluded and producers.get(node.input[0]) == "DequantizeLinear":
            output, node.output[0] = node.output[0], f"{node.output[0]}_in_float"
            steps.append(
                helper.make_node("Max", [node.output[0], _LOWEST], [output], name=f"{node.name}_in_float")
            )
    if len(steps) > len(graph.node):
        lowest = np.array(np.finfo(np.float32).min)
        graph.initializer.append(onnx.numpy_helper.from_array(lowest, _LOWEST))
        del graph.node[:]
        graph.node.extend(steps)


def _session(graph: InferenceGraph, spec: DetectionSpec, names: Sequence[str]) -> Any:
    """Return a session with these arrays as outputs."""
    runtime = import_package("onnxruntime")
    model = onnx.shape_inference.infer_shapes(make_model(graph, spec, "calibration", "raw"))
    infos = {info.name: info for info in model.graph.value_info}
    del model.graph.output[:]
    model.graph.output.extend(infos[name] for name in names)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3  # errors
    with temporary_folder() as folder:  # of the model's bytes a session would keep a copy
        path = folder / "calibration.onnx"
        write_model(model, path)
        del model, infos
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
