"""``gluon_yolo.quantize``: a model in int8 and bfloat16, and what that costs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Union

from gluon_yolo.api.export import checked_thresholds
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.request import DataRequest
from gluon_yolo.errors import SettingError, check_within
from gluon_yolo.exporters.folder_lock import locked_folder
from gluon_yolo.exporters.quantize.calibrate import METHODS
from gluon_yolo.exporters.quantize.compare import Say
from gluon_yolo.exporters.quantize.data import Amount, images_of, open_images
from gluon_yolo.exporters.quantize.quantize import FORMATS, MAX_DROP, PRECISIONS, quantize_network
from gluon_yolo.exporters.quantize.quantized import Quantized
from gluon_yolo.exporters.quantize.search import BEST
from gluon_yolo.exporters.request import NMSOptions, Request, checked_name
from gluon_yolo.exporters.source_model import Model, PathLike, SourceModel, load_model
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.input_size import Size, parse_size
from gluon_yolo.nms import LEAST_SCORE, NMS_THRESHOLD
from gluon_yolo.outputs import check_outputs

Data = Union[PathLike, Dataset, "tuple[Dataset, Dataset]"]

log = logging.getLogger("gluon_yolo")


def quantize(
    model: Model,
    data: Data,
    out: PathLike = "quantized",
    *,
    weights: PathLike | None = None,
    precision: str | Sequence[str] = PRECISIONS,
    formats: str | Sequence[str] = FORMATS,
    method: str = "minmax",
    max_drop: float = MAX_DROP,
    name: str | None = None,
    size: Size | None = None,
    data_format: str | None = None,
    train_split: str | None = None,
    val_split: str | None = None,
    classes: PathLike | None = None,
    only: str | None = None,
    class_map: PathLike | None = None,
    skip_bad: bool = False,
    num: int = Amount.num,
    eval_num: int = Amount.eval_num,
    seed: int = Amount.seed,
    nms_threshold: float = NMS_THRESHOLD,
    score_threshold: float = LEAST_SCORE,
    max_detections: int | None = None,
    say: Say | None = None,
) -> Quantized:
    """Write a model in fewer bits, calibrated and scored on images, one folder a precision.

    Every form is scored in each runtime that reads it and is installed. What costs more than ``max_drop``
    points is found layer by layer and left in float.

    Args:
        model: as :func:`gluon_yolo.export` takes it.
        data: a data set in any format that training reads, or a folder of images without labels: then what
            the model finds in float is what it should find in int8. Or a Dataset, which is divided, or one to
            calibrate on and one to score on.
        out: the folder to write to; made when absent.
        weights: a weights file or a run, where ``model`` is a network's name or a darknet cfg.
        precision: one or both of ``int8`` and ``bfloat16``, the latter where the processor computes in it.
        formats: files that int8 is written as, one or both of ``symbol`` and ``onnx``.
        method: what int8 reaches over: ``minmax``, all that was seen; ``entropy``, what loses least of it;
            ``best``, whichever of the two scores better.
        max_drop: points of VOC07's mAP, or of COCO's AP, that may be lost before layers stay in float.
        name: stem of the files; None takes the run's or the exported model's name, else the network's.
        size: height and width of the input in pixels, as ``416``, ``"320x416"`` or ``(320, 416)``; None takes
            the model's own.
        data_format: what ``data`` is; None finds it.
        train_split: split to calibrate on; None takes the data's for training.
        val_split: split to score on; None takes the data's for validation or test.
        classes: a file of class names, one a line, of the data or of a network's name.
        only: classes to use alone, commas between.
        class_map: a file of lines ``NAME = OTHER NAME``.
        skip_bad: leave out what cannot be used.
        num: images to calibrate on.
        eval_num: images to score on at most.
        seed: of drawing them.
        nms_threshold: overlap above which the worse of two boxes of a class falls, 0..1.
        score_threshold: detections that score less are left out of what the graphs give, 0..1.
        max_detections: of an image at most; None takes the model's own, 100 where nobody said more.
        say: takes lines on how the work goes; None logs them.

    Returns:
        The forms with their scores, sizes and times; ``table`` is a pandas frame, printed it is what the
        command prints.

    Raises:
        UserError: a setting is wrong, the model or the data cannot be read, or the folder cannot be written.
        MissingDependency: a package is absent that a format needs.
        WrongResults: what was written in float does not give the network's results.
    """
    started, say = time.perf_counter(), say or log.info
    precisions, kinds = _listed("precision", precision, PRECISIONS), _listed("format", formats, FORMATS)
    size_hw = None if size is None else parse_size(size)
    amount = Amount(num, eval_num, seed)
    _check(method, max_drop, amount)
    thresholds = checked_thresholds(nms_threshold, score_threshold, max_detections)
    check_outputs({}, {"{out}": str(out)})
    for package in ("onnx", "onnxruntime") if "int8" in precisions and "onnx" in kinds else ():
        import_package(package)
    with locked_folder(Path(out)):
        source = load_model(model, weights, classes, size_hw)
        if isinstance(data, (str, os.PathLike)):
            asked = DataRequest(
                data=os.fspath(data),
                format=data_format,
                train_split=train_split,
                val_split=val_split,
                classes=None if classes is None else os.fspath(classes),
                only=only,
                class_map=None if class_map is None else os.fspath(class_map),
                skip_bad=skip_bad,
            )
            images, title = open_images(asked, source.net.spec.class_names, amount), os.fspath(data)
        else:
            images, title = images_of(data, amount), "Dataset"
        say(images.note)
        request = writing_request(source, name, thresholds, max_detections)
        about = {"model": source.given_as, "name": request.name, "data": title}
        return quantize_network(
            request, images, Path(out), precisions, kinds, method, max_drop, about, say, started
        )


def writing_request(
    source: SourceModel,
    name: str | None,
    thresholds: tuple[float, float],
    max_detections: int | None,
) -> Request:
    """Return what each form is written by."""
    options = NMSOptions(*thresholds, max_detections=max_detections or source.max_detections)
    stem = checked_name(source.net, name or source.name, source.size_hw)
    return Request(source.net, stem, source.size_hw, suppression=options, fit=source.fit)


def _listed(setting: str, given: str | Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the words of a sequence, or of a text with commas between, each once.

    Raises:
        SettingError: one of them is unknown.
    """
    words = list(dict.fromkeys(given.split(",") if isinstance(given, str) else given))
    for word in words:
        if word not in known:
            raise SettingError(
                f"{{{setting}}} {word}: expected {' or '.join(known)}, or both with a comma between"
            )
    return words


def _check(method: str, max_drop: float, amount: Amount) -> None:
    """Check what can be wrong before anything is loaded.

    Raises:
        SettingError: something is.
    """
    if method not in (*METHODS, BEST):
        raise SettingError(f"{{method}} {method}: expected {', '.join(METHODS)} or {BEST}")
    check_within("max_drop", max_drop, 0, 100)
    check_within("num", amount.num, 1)
    check_within("eval_num", amount.eval_num, 1)
    check_within("seed", amount.seed, 0)
