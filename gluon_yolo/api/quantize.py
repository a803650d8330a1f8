"""``gluon_yolo.quantize``: write a model in int8 and bfloat16, and measure the accuracy drop."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Union

from gluon_yolo.api.evaluation_data import plain
from gluon_yolo.api.export import checked_thresholds, nms_options
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.request import DataRequest
from gluon_yolo.errors import SettingError, check_within
from gluon_yolo.exporters import memory_need
from gluon_yolo.exporters.api import FORMATS as EXPORTS
from gluon_yolo.exporters.damaged_weights import weights_from
from gluon_yolo.exporters.folder_lock import locked_folder
from gluon_yolo.exporters.quantize.backends import INT8
from gluon_yolo.exporters.quantize.calibrate import METHODS
from gluon_yolo.exporters.quantize.data import Amount, images_of, open_images
from gluon_yolo.exporters.quantize.quantize import FORMATS, MAX_DROP, PRECISIONS, quantize_network
from gluon_yolo.exporters.quantize.quantized import Quantized
from gluon_yolo.exporters.quantize.scorer import Say
from gluon_yolo.exporters.quantize.search import BEST
from gluon_yolo.exporters.request import Request, checked_name
from gluon_yolo.exporters.source_model import Model, PathLike, SourceModel, load_detector
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
    max_candidates: int | None = None,
    say: Say | None = None,
) -> Quantized:
    """Write a model in int8 and bfloat16, calibrated and scored on images, in one folder for each precision.

    Each written model is scored in every installed runtime that can run it. If int8 loses more than
    ``max_drop`` points, the layers that cause the loss are found and kept in float.

    Args:
        model: as :func:`gluon_yolo.export` takes it.
        data: a data set in any format that training reads; or a folder of images without labels, where the
            detections of the float model are the annotations; or a Dataset, which is divided; or two of
            them, for calibration and for scoring.
        out: the output folder, made when absent.
        weights: a weights file or a run, where ``model`` is a network's name or a darknet cfg.
        precision: one or both of ``int8`` and ``bfloat16``. bfloat16 needs a CPU that supports it.
        formats: the formats of int8, one or several of ``symbol``, ``onnx`` and ``tflite``.
        method: how calibration finds the int8 ranges: ``minmax`` (all values that occur), ``entropy`` (least
            loss of information), or ``best`` (the one that scores better).
        max_drop: points of VOC07's mAP, or of COCO's AP, that int8 may lose before layers stay in float.
        name: stem of the file names. None takes the name of the run or the exported model, else of the
            network.
        size: input size in pixels, as ``416``, ``"320x416"`` (height first) or ``(320, 416)``. None takes the
            model's own.
        data_format: the format of ``data``. None detects it.
        train_split: the split to calibrate on. None takes the training split.
        val_split: the split to score on. None takes the validation or test split.
        classes: a file of class names, one a line, for the data or for a network's name.
        only: the names of the classes to use, with commas.
        class_map: a file of lines ``NAME = OTHER NAME``, where the data and the model use different names.
        skip_bad: leave out images and labels that cannot be used.
        num: number of images to calibrate on.
        eval_num: largest number of images to score on.
        seed: of the random choice of images.
        nms_threshold: NMS removes a box that overlaps a better one of its class by more than this IoU, 0..1.
        score_threshold: the graphs leave out detections with this score or a lower one, 0..1.
        max_detections: the limit for one image. None takes the model's own, by default 100.
        max_candidates: pairs of anchor and class that enter NMS, the best ones. None takes 400, and eight for
            each detection from a limit of 101 on.
        say: called with each line on the progress of the work. None logs the lines.

    Returns:
        The written models with their scores, sizes and times. ``table`` is a pandas frame;
        ``print(quantized)`` shows the text of the command.

    Raises:
        UserError: a setting is wrong, the model or the data cannot be read, or the folder cannot be written.
        MissingDependency: the package of a format is not installed.
        WrongResults: a float file does not give the network's results.

    Example:
        >>> quantized = gluon_yolo.quantize("runs/mine-1", "VOCdevkit", precision="int8")
        >>> quantized.predictor("int8")("street.jpg")
    """
    started, say = time.perf_counter(), say or log.info
    precisions, kinds = _listed("precision", precision, PRECISIONS), _listed("format", formats, tuple(INT8))
    size_hw = None if size is None else parse_size(size)
    amount = Amount(num, eval_num, seed)
    _check(method, max_drop, amount)
    thresholds = checked_thresholds(nms_threshold, score_threshold, max_detections, max_candidates)
    check_outputs({}, {"{out}": str(out)})
    for kind in kinds if "int8" in precisions else ():
        for package in EXPORTS[kind].packages:
            import_package(package)
    with locked_folder(Path(out)):
        source = load_detector(model, weights, classes, size_hw)
        memory_need.check_quantize(
            source.net, source.size_hw, kinds if "int8" in precisions else ["symbol"], num
        )
        if isinstance(data, (str, os.PathLike)):
            where = {"data": data, "format": data_format, "train_split": train_split, "val_split": val_split}
            names = {"classes": classes, "only": only, "class_map": class_map, "skip_bad": skip_bad}
            asked = DataRequest(**plain({**where, **names}))
            images, title = open_images(asked, source.net.spec.class_names, amount), os.fspath(data)
        else:
            images, title = images_of(data, amount), "Dataset"
        say(images.note)
        request = writing_request(source, name, thresholds, max_detections, max_candidates)
        about = {"model": source.given_as, "name": request.name, "data": title}
        with weights_from(source.given_as):
            return quantize_network(
                request, images, Path(out), precisions, kinds, method, max_drop, about, say, started
            )


def writing_request(
    source: SourceModel,
    name: str | None,
    thresholds: tuple[float, float],
    max_detections: int | None,
    max_candidates: int | None = None,
) -> Request:
    """Return the request that every form of the model is exported with."""
    options = nms_options(source, thresholds, max_detections, max_candidates)
    stem = checked_name(source.net, name or source.name, source.size_hw)
    return Request(
        source.net,
        stem,
        source.size_hw,
        suppression=options,
        fit=source.fit,
        best_threshold=source.best_threshold,
    )


def _listed(setting: str, given: str | Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the words of a sequence, or of a text with commas, each once.

    Raises:
        SettingError: a word is unknown.
    """
    words = list(dict.fromkeys(given.split(",") if isinstance(given, str) else given))
    for word in words:
        if word not in known:
            several = "both" if len(known) == 2 else "several"
            raise SettingError(
                f"{{{setting}}} {word}: expected {' or '.join(known)}, or {several} with a comma between"
            )
    return words


def _check(method: str, max_drop: float, amount: Amount) -> None:
    """Check the settings before anything is loaded.

    Raises:
        SettingError: a setting is wrong.
    """
    if method not in (*METHODS, BEST):
        raise SettingError(f"{{method}} {method}: expected {', '.join(METHODS)} or {BEST}")
    check_within("max_drop", max_drop, 0, 100)
    check_within("num", amount.num, 1)
    check_within("eval_num", amount.eval_num, 1)
    check_within("seed", amount.seed, 0)
