"""``gluon_yolo.evaluate``: the scores of a model on a data set, as the command ``eval`` prints them."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from gluon_yolo.api.evaluation_data import EvaluationData, plain
from gluon_yolo.api.evaluation_model import for_dense_images, predictor_of
from gluon_yolo.api.model import ModelLike, path_of
from gluon_yolo.data.classes.mapping import ClassMap
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.opening import classes_of
from gluon_yolo.data.source import Source
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError
from gluon_yolo.evaluation import evaluate as loop
from gluon_yolo.evaluation.batch_trial import check_batch
from gluon_yolo.evaluation.coco_ap import COCOMetric, is_counted
from gluon_yolo.evaluation.details import DetailMetrics
from gluon_yolo.evaluation.evaluate import Watch
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.image_grids import TruthGrids
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.result import Evaluation
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.evaluation.wider.ground_truth import read_ground_truth
from gluon_yolo.evaluation.wider.metric import WiderMetric
from gluon_yolo.evaluation.wider.predictions import write_predictions
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import PathLike, Preprocess
from gluon_yolo.input_size import Size
from gluon_yolo.nms import LEAST_SCORE, SHOWN_SCORE
from gluon_yolo.training.out_of_memory import explained

log = logging.getLogger("gluon_yolo")

DataLike = Union[PathLike, Source, Dataset, EvaluationData]


def evaluate(
    model: ModelLike,
    data: DataLike | None = None,
    *,
    val_split: str | None = None,
    format: str | None = None,
    classes: PathLike | None = None,
    only: str | Sequence[str] | None = None,
    class_map: PathLike | None = None,
    skip_bad: bool = False,
    annotations: PathLike | None = None,
    images: PathLike | None = None,
    size: Size | None = None,
    fit: str | Preprocess | None = None,
    score_threshold: float = LEAST_SCORE,
    nms_threshold: float | None = None,
    nms: str | None = None,
    max_detections: int | None = None,
    max_candidates: int | None = None,
    tile: Size | None = None,
    overlap: float | None = None,
    tile_whole: bool | None = None,
    runtime: str | None = None,
    gpu: int | None = None,
    remeasure: bool = False,
    batch_size: int = 8,
    workers: int = 2,
    shown_threshold: float = SHOWN_SCORE,
    save_images: PathLike | None = None,
    save_detections: PathLike | None = None,
    wider_ground_truth: PathLike | None = None,
    save_predictions: PathLike | None = None,
    progress: bool = True,
    watch: Watch | None = None,
) -> Evaluation:
    """Score a model on a data set.

    The model detects objects in every image. The boxes are compared with the annotations in the pixels of
    the original image.

    Args:
        model: the path of a run or of an exported model, a Predictor, or the result of ``train``.
        data: a folder or a file in any format that can be read, a Source, or a Dataset. None takes the
            validation data of the run.
        val_split: the split to score on. None takes the validation split.
        format: the format of ``data``. None detects it.
        classes: a file of class names, one a line, for data that has none.
        only: the names of the classes to score.
        class_map: a file of lines ``NAME = OTHER NAME``, where the data and the model use different names.
        skip_bad: leave out images and labels that cannot be used.
        annotations: a COCO annotation file. Give it with ``images`` instead of ``data``.
        images: the folder with the images of ``annotations``.
        size: input size in pixels, as 416 or (height, width). None takes the model's own.
        fit: how an image is fitted to the input size: ``resize``, ``letterbox`` or ``darknet``. None takes
            the model's own.
        score_threshold: detections with this score or a lower one are left out. A value above the default
            0.01 lowers every average precision.
        nms_threshold: NMS removes a box that overlaps a better one of its class by more than this IoU. None
            takes 0.45, or the value of the Predictor.
        nms: ``"class"`` or ``"agnostic"``. None takes ``"class"``, or the value of the Predictor.
        max_detections: the limit for one image. None takes the model's own, for WIDER FACE 1,000 or more.
        max_candidates: pairs of anchor and class that enter NMS, the best ones. None takes the model's own,
            or for another limit of detections 400, and eight for each from 101 on; for WIDER FACE 5,000 or
            more.
        tile: cut images into tiles of this size, in their pixels, such as 640 or (480, 640), and merge what
            is found in the tiles. None does what the Predictor does.
        overlap: the share of a tile's side that its neighbour has too. None takes 0.2.
        tile_whole: with tiles, detect in the whole image too.
        runtime: the runtime of an exported model. None takes the fastest.
        gpu: index of the GPU. None runs on the CPU.
        remeasure: measure again which runtime is the fastest.
        batch_size: images, or tiles, in a batch.
        workers: threads that read images.
        shown_threshold: detections above this score count for precision, recall and F1, and are drawn in
            ``save_images``. It is never below ``score_threshold``.
        save_images: a folder for drawn images: annotations on the left, detections on the right.
        save_detections: a file for all detections in the form of COCO's results, which pycocotools reads.
        wider_ground_truth: the folder with the four official files of WIDER FACE's Easy, Medium and Hard.
            None approximates them by the height of the faces, for data in WIDER FACE's format.
        save_predictions: a folder for a text file of each image, which WIDER FACE's official tools read.
        progress: show a progress bar.
        watch: called for each image with its index, the original image, and the detections in its pixels.

    Returns:
        The numbers. ``evaluation["AP"]`` is one of them; ``print(evaluation)`` shows the tables. Frames and
        a figure show the errors: ``confusion``, ``errors``, ``worst()``, ``plot_confusion()``.

    Raises:
        UserError: the model or the data does not exist, their classes differ, or memory is too small.

    Example:
        >>> evaluation = gluon_yolo.evaluate("runs/mine-1", "VOCdevkit", batch_size=16)
        >>> evaluation["VOC07_mAP50"]
    """
    where: dict[str, Any] = {"val_split": val_split, "format": format, "classes": classes, "only": only}
    where.update(class_map=class_map, skip_bad=skip_bad, annotations=annotations, images=images)
    chosen = _chosen_data(data, where)
    official = None if wider_ground_truth is None else read_ground_truth(wider_ground_truth)
    if isinstance(chosen, EvaluationData):
        chosen = chosen.or_of_run(model.name if isinstance(model, Predictor) else path_of(model))
    asked: dict[str, Any] = {"score_threshold": score_threshold, "nms_threshold": nms_threshold, "nms": nms}
    loaded = {"size": size, "fit": fit, "runtime": runtime, "gpu": gpu, "remeasure": remeasure}
    asked.update(max_detections=max_detections, max_candidates=max_candidates)
    asked.update(tile=tile, overlap=overlap, tile_whole=tile_whole)
    predictor = predictor_of(model, asked, loaded).replace(batch_size=batch_size)
    spellings = None
    if isinstance(chosen, EvaluationData):
        spellings = classes_of(chosen).spellings
        chosen = chosen.open_images()
    of_faces = official is not None or chosen.is_wider
    if of_faces:
        predictor = for_dense_images(predictor, max_detections, max_candidates)
    elif save_predictions is not None:
        raise SettingError("{save_predictions}: goes with WIDER FACE's data, or with {wider_ground_truth}")
    shown_threshold = max(shown_threshold, score_threshold)
    scorer = _Scorer(predictor, chosen, spellings)
    saved = None if save_images is None else TruthGrids(Path(save_images), chosen, shown_threshold)
    metrics, detailed = _metrics(chosen, shown_threshold, score_threshold)
    if of_faces:
        metrics.append(WiderMetric(chosen, official))
    with explained(lambda: f"{{batch_size}} {batch_size}: out of memory; give a smaller one"):
        if predictor.gpu is None:
            beside = _bytes_beside(chosen, predictor, saved is not None or watch is not None)
            most = min(batch_size, len(chosen)) if predictor.tile is None else batch_size
            check_batch(predictor.detect_batch, predictor.size_hw, most, beside)
        numbers = loop.evaluate(
            scorer.detect,
            chosen,
            predictor.size_hw,
            batch_size,
            metrics,
            workers=workers,
            fit=predictor.fit,
            progress=progress,
            watch=_both(saved, watch),
            detect_image=None if predictor.tile is None else scorer.detect_image,
        )
    if chosen.report.boxes <= chosen.report.difficult:
        log.warning("%s: no object to find in any picture, so no score means anything", chosen.report.title)
    details = detailed.details(numbers)
    if save_detections is not None:
        details.detections.write(save_detections)
    if save_predictions is not None:
        write_predictions(save_predictions, chosen, details.detections, official)
    numbers = {**_about(predictor, chosen), **numbers, **details.numbers()}
    return Evaluation(numbers, tuple(scorer.limited), details)


def _chosen_data(data: DataLike | None, where: dict[str, Any]) -> Dataset | EvaluationData:
    """Return the open data set, or the settings that name it."""
    where = plain(where)
    if isinstance(data, EvaluationData):
        return dataclasses.replace(data, **where)
    if isinstance(data, Source):
        return EvaluationData(**{"data": str(data.path), "format": data.format, **where})
    if isinstance(data, Dataset):
        if where:
            raise SettingError(f"{{{next(iter(where))}}}: says how data is opened, and a Dataset is open")
        return data
    return EvaluationData(**plain({"data": data}), **where)


class _Scorer:
    """Detects objects with the data's class ids, and keeps the scores of detections that a limit cut off.

    Args:
        predictor: the model.
        dataset: the data set; the model knows its classes.
        spellings: other names of the classes.
    """

    def __init__(self, predictor: Predictor, dataset: Dataset, spellings: Spellings | None) -> None:
        self._predictor = predictor
        self._renumbered = ClassMap(predictor.class_names, dataset, predictor.name or "the model", spellings)
        self.limited: list[float] = []

    def detect(self, images: np.ndarray) -> list[Detections]:
        found = self._predictor.detect_batch(images)
        self.limited += [score for score in self._predictor.left_out if score > 0]
        return [self._renumbered(one) for one in found]

    def detect_image(self, image: np.ndarray) -> Detections:
        found = self._predictor(image)
        self.limited += [score for score in self._predictor.left_out if score > 0]
        return self._renumbered(found)


def _metrics(
    dataset: Dataset, shown_threshold: float, score_threshold: float
) -> tuple[list[Metric], DetailMetrics]:
    """Return the metrics to compute, and the one of them that makes the details.

    Without pycocotools, a warning is logged and COCO's are left out.
    """
    voc = VOCMetric(dataset.class_names)
    shares = F1Metric(dataset.class_names, shown_threshold, score_threshold, matching=voc.matching)
    detailed = DetailMetrics(dataset, voc.matching, shown_threshold)
    metrics: list[Metric] = [voc, shares]
    if is_counted():
        metrics.append(COCOMetric.from_dataset(dataset))
    else:
        log.warning("COCO's numbers are left out, since they need pycocotools: pip install pycocotools")
    return [*metrics, detailed], detailed


def _both(saved: TruthGrids | None, watch: Watch | None) -> Watch | None:
    """Return one function that calls the function that saves images, then the user's."""
    if saved is None or watch is None:
        return saved or watch

    def both(index: int, image: np.ndarray, found: Detections) -> None:
        saved(index, image, found)
        watch(index, image, found)

    return both


def _bytes_beside(dataset: Dataset, predictor: Predictor, as_read: bool) -> float:
    """Return the bytes of an image beside the network: the fitted one, and the original where it is drawn."""
    fitted = 4 * 3 * math.prod(predictor.size_hw)
    if not as_read:
        return fitted
    return fitted + 2 * 3 * max(math.prod(dataset.size_hw(index)) for index in range(len(dataset)))


def _own_limit(predictor: Predictor) -> dict[str, int]:
    """Return the limit of the model's graph, where it is lower than that of the detections."""
    own = predictor.network_limit
    return {} if own is None or own >= predictor.max_detections else {"network_limit": own}


def _about(predictor: Predictor, dataset: Dataset) -> dict[str, Any]:
    """Return the settings of the evaluation."""
    tiles: dict[str, Any] = {}
    if predictor.tile is not None:
        tiles = {name: getattr(predictor, name) for name in ("tile", "overlap", "tile_whole")}
        tiles["tile"] = list(tiles["tile"])
    return {
        "model": predictor.name,
        "data": dataset.report.title,
        "size_hw": list(predictor.size_hw),
        "runtime": predictor.runtime,
        "score_threshold": predictor.score_threshold,
        "nms_threshold": predictor.nms_threshold,
        "nms": predictor.nms,
        "max_detections": predictor.max_detections,
        **_own_limit(predictor),
        **({} if predictor.max_candidates is None else {"max_candidates": predictor.max_candidates}),
        **tiles,
    }
