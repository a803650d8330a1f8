"""``gluon_yolo.import_caffe``: convert a network of Caffe's to a model folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Union

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters import memory_need
from gluon_yolo.exporters.damaged_weights import weights_from
from gluon_yolo.exporters.imported_landmarks import ImportedLandmarks
from gluon_yolo.exporters.model_dir import write_folder
from gluon_yolo.exporters.source_model import PathLike
from gluon_yolo.file_names import made_name
from gluon_yolo.landmarks import TASK
from gluon_yolo.models.caffe.network import COLOURS
from gluon_yolo.models.summary import summarize
from gluon_yolo.text import counted, did_you_mean
from gluon_yolo.weights import caffe_model

TASKS = (TASK,)
PerChannel = Union[str, float, Sequence[float]]
_CHANNELS = 3


def import_caffe(
    prototxt: PathLike,
    caffemodel: PathLike,
    out: PathLike = "imported",
    *,
    task: str = TASK,
    colour: str = "bgr",
    mean: PerChannel = 0.0,
    scale: PerChannel = 1.0,
) -> ImportedLandmarks:
    """Convert a network of face landmarks, as Caffe has it, to a folder for export and ``FaceLandmarks``.

    Neither Caffe nor its compiler is needed, only protobuf. The layers are those of the prototxt, their
    weights are found by the layers' names. What would change the result and is not known here is an error
    that names the layer.

    Args:
        prototxt: the layers.
        caffemodel: their weights.
        out: the folder to write; it must be absent or empty.
        task: what the network is for: ``landmarks``, whose output is x and y of each point as shares of the
            crop.
        colour: the order of the channels that the network takes: ``bgr``, as OpenCV and Caffe read images,
            or ``rgb``. Here and in every exported file the input is RGB.
        mean: what is subtracted from pixels of 0..255: a number, or one for each channel in that order.
        scale: what they are divided by then: a number, or one for each channel.

    Returns:
        The folder and what was read. ``print(imported)`` shows how to use it.

    Raises:
        UserError: a file is missing or damaged, a layer or parameter is not known, weights do not fit the
            layers, a setting is wrong, or the folder is not empty.
        MissingDependency: protobuf is not installed.

    Example:
        >>> gluon_yolo.import_caffe("106.prototxt", "106.caffemodel", "models/106", mean=127.5, scale=127.5)
    """
    if task not in TASKS:
        raise SettingError(f"{{task}} {task}: {did_you_mean(task, TASKS)}known is {', '.join(TASKS)}")
    if colour not in COLOURS:
        raise SettingError(f"{{colour}} {colour}: expected {' or '.join(COLOURS)}")
    means, scales = _per_channel("mean", mean), _per_channel("scale", scale)
    if not all(number > 0 for number in scales):
        raise SettingError(f"{{scale}} {scale}: must be above 0; pixels are divided by it")
    layers, weights = Path(prototxt), Path(caffemodel)
    if layers.suffix == ".caffemodel" or weights.suffix == ".prototxt":
        raise UserError(f"{layers} {weights}: first the .prototxt, then the .caffemodel")
    memory_need.check_import(weights)
    name = made_name(layers.stem) or TASK
    net, others = caffe_model.load(layers, weights, name, colour, means, scales)
    report = [f"{layers}: {counted(len(net.plan.layers), 'layer')}"]
    left = (
        f", but those of {counted(len(others), 'layer')} that the prototxt lacks: {others[0]}"
        if others
        else ""
    )
    report.append(f"{weights}: all of its weights{left}{', ...' if len(others) > 1 else ''}")
    origin = {"kind": "caffe", "prototxt": os.path.abspath(layers), "caffemodel": os.path.abspath(weights)}
    with weights_from(weights):
        folder = write_folder(net, out, net.spec.size_hw, origin={**origin, **net.preprocessing})
    counts = summarize(net, net.spec.size_hw)
    return ImportedLandmarks(folder, name, net.spec, counts.parameters, counts.flops, tuple(report))


def _per_channel(setting: str, given: PerChannel) -> list[float]:
    """Return a number for each channel.

    Raises:
        SettingError: there are neither one nor three numbers.
    """
    words = given.split(",") if isinstance(given, str) else given
    try:
        numbers = [float(word) for word in words] if isinstance(words, Sequence) else [float(words)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, _CHANNELS) or not all(abs(number) < float("inf") for number in numbers):
        raise SettingError(f"{{{setting}}} {given}: expected a number, or three with commas")
    return numbers if len(numbers) == _CHANNELS else numbers * _CHANNELS
