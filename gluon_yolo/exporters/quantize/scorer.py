"""The scorer of a model's forms, with the data's annotations or the float model's own detections."""

from __future__ import annotations

from typing import Callable

from gluon_yolo.evaluation.accuracy_drop import AccuracyDrop, found_by
from gluon_yolo.exporters.quantize.data import Images, warn_of_few
from gluon_yolo.inference.predictor import Network, Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.nms import NMS_THRESHOLD, SHOWN_SCORE, USUAL_DETECTIONS
from gluon_yolo.spec import DetectionSpec

Say = Callable[[str], None]


def accuracy_drop_of(
    images: Images,
    reference: Network,
    spec: DetectionSpec,
    size_hw: tuple[int, int],
    fit: str,
    say: Say,
    nms_threshold: float = NMS_THRESHOLD,
    max_detections: int = USUAL_DETECTIONS,
) -> AccuracyDrop:
    """Return the scorer of the forms of a model.

    Args:
        images: to score on. Without annotations, the reference's detections take their place.
        reference: the float network.
        spec: of the model.
        size_hw: height and width of its input in pixels.
        fit: how images are fitted to it, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
        say: called with each line for the user.
        nms_threshold: IoU above which NMS removes the box with the lower score of the same class.
        max_detections: the limit for one image.

    Raises:
        UserError: the images have no object, or a class that the network does not have.
    """
    scoring, fitting = images.scoring, Preprocess(fit)
    if not images.labelled:
        say(
            f"{scoring.report.title}: every form is held to what the model in float32 finds from a score of "
            f"{SHOWN_SCORE} on (mAP50 of the one against the other)"
        )
        finder = Predictor(reference, spec, size_hw, SHOWN_SCORE, nms_threshold, max_detections, fitting)
        scoring = found_by(finder, scoring)
    warn_of_few(scoring)
    return AccuracyDrop(
        reference,
        scoring,
        spec,
        size_hw,
        fitting,
        nms_threshold,
        agreement=not images.labelled,
        coco=images.coco,
        spellings=images.spellings,
        max_detections=max_detections,
    )
