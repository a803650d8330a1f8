"""Int8 in TFLite files, calibrated on images in LiteRT's interpreter.

The steps that compute in int8 are those of ONNX's int8 files: every convolution before another one, and
activations, sums, concatenations, pools and shuffles between two of them. Weights are int8 with a scale for
each output channel, activations int8 with one scale and a zero point, biases int32, as TFLite's own
specification of 8-bit quantization has it. LiteRT sums products in 32 bits on every processor, so weights
take the whole range.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.ir.graph import InferenceGraph
from gluon_yolo.exporters.onnx.int8_layers import in_int8, layers, to_be_held
from gluon_yolo.exporters.quantize.calibrate import Progress, Ranges, calibrate_ranges, seen_within
from gluon_yolo.exporters.tflite.arrays import Int8
from gluon_yolo.exporters.tflite.file import Scale
from gluon_yolo.exporters.tflite.write import make_file
from gluon_yolo.inference.runtimes.tflite import open_interpreter

_LEVELS = 255  # steps between -128 and 127
_LEAST = 1e-30  # range of an array that is always zero


def calibrate(
    graph: InferenceGraph,
    size_hw: tuple[int, int],
    batches: Iterable[np.ndarray],
    method: str = "minmax",
    progress: Progress | None = None,
) -> Ranges:
    """Run images through a graph and return the range of every array that can be in int8.

    Args:
        graph: with the raw maps as outputs.
        size_hw: height and width of the images in pixels.
        batches: of preprocessed images (B, h, w, 3) uint8 RGB; read once, in order.
        method: a key of :data:`gluon_yolo.exporters.quantize.calibrate.METHODS`.
        progress: function that is called with ``pictures``, the number done, None; with ``entropy`` also with
            ``ranges``, the number done, and the total.

    Returns:
        Minimum and maximum by the array's name.

    Raises:
        UserError: the method is unknown, there are no images, or values are not finite.
    """
    names = to_be_held(graph)
    content = make_file(dataclasses.replace(graph, outputs={name: name for name in names}), (1, *size_hw))
    interpreter = open_interpreter(content)
    (given,) = interpreter.get_input_details()
    places = {entry["name"]: entry["index"] for entry in interpreter.get_output_details()}

    def arrays_of(image: np.ndarray) -> Iterable[np.ndarray]:
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        return (interpreter.get_tensor(places[name]) for name in names)

    return calibrate_ranges(names, arrays_of, batches, method, progress, seen_within)


def quantization(graph: InferenceGraph, ranges: Ranges, excluded: Sequence[str] = ()) -> Int8:
    """Return what of a graph is in int8.

    Args:
        graph: with the raw maps as outputs.
        ranges: from :func:`calibrate`.
        excluded: layers that stay in float32.

    Raises:
        UserError: a layer is unknown.
    """
    known = layers(graph)
    unknown = [layer for layer in excluded if layer not in known]
    if unknown:
        raise UserError(
            f"excluded layer {unknown[0]!r}: the network has none of that name; its layers are "
            f"{', '.join(known)}"
        )
    scales = {name: scale_of(*sides) for name, sides in ranges.items()}
    return Int8(frozenset(in_int8(graph, excluded)), scales)


def scale_of(low: float, high: float) -> Scale:
    """Return the scale of an array in int8 that covers a range and zero, and has a number for zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = float(np.float32(max(high - low, _LEAST) / _LEVELS))
    return Scale((step,), int(np.clip(round(-128 - low / step), -128, 127)))
