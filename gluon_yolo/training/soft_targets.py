"""Soft targets: the predictions of a teacher as target rows of the network that it teaches."""

from __future__ import annotations

import numpy as np

from gluon_yolo.assigners import assign_objects, rows_per_object
from gluon_yolo.boxes import clip
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.nms import USUAL_DETECTIONS, nms
from gluon_yolo.spec import DetectionSpec

CANDIDATES = 1000  # predictions of an image that enter NMS, by objectness: a crowd has hundreds
LEAST_OBJECTNESS = 0.05  # below it the target is 0, which every anchor without a row has
NMS_IOU = 0.5
_ROWS = 32  # a hybridized loss plans its memory anew for each number of rows, so there should be few
_BOX, OBJECTNESS, _CLASSES = slice(0, 4), 4, slice(5, None)  # columns of predictions


def soft_targets(predictions: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> np.ndarray:
    """Turn a teacher's predictions into soft targets.

    Of predictions of one class and one place only the one with the highest objectness is kept, as a teacher
    predicts an object at several anchors, which would teach as many boxes (feature map NMS of Mehta & Ozturk
    2018, section 3.2.2; here by overlap, because the anchors of the teacher are not those of the network).
    Of an image, at most the 100 surest boxes teach.

    The network's own assigner matches boxes with anchors, as for annotations. So levels, anchors and box
    coding of the teacher may be any. Of two boxes at one anchor, the one with the higher objectness has it.

    Args:
        predictions: (B, N, 5 + C): corners in input pixels, objectness, and probabilities of the classes of
            ``spec``.
        spec: of the network that is trained.
        size_hw: height and width of the input in pixels.

    Returns:
        (B, M, 12 + C) float32: target rows whose weight is the objectness, then the probabilities; where the
        score rule is a softmax, their sum is 1.
    """
    rows = [_rows(image, spec, size_hw) for image in predictions]
    return pad_targets(rows, _ROWS * rows_per_object(spec))


def _rows(predictions: np.ndarray, spec: DetectionSpec, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the soft target rows (M, 12 + C) of one image."""
    chosen = _chosen(predictions, size_hw)[::-1]  # of rows with one anchor, the last one counts
    probabilities = chosen[:, _CLASSES]
    boxes = Detections(chosen[:, _BOX], probabilities.argmax(axis=1))
    rows, objects = assign_objects(boxes, chosen[:, OBJECTNESS], spec, size_hw)
    probabilities = probabilities[objects]
    if spec.score_rule == "objectness_times_softmax":
        sums = probabilities.sum(axis=1, keepdims=True)
        probabilities = probabilities / np.maximum(sums, np.finfo(np.float32).tiny)
    return np.concatenate([rows, probabilities], axis=1).astype(np.float32)


def _chosen(predictions: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the predictions that become rows, highest objectness first, with their boxes clipped."""
    objectness = predictions[:, OBJECTNESS]
    likely = np.flatnonzero(objectness >= LEAST_OBJECTNESS)
    found = predictions[likely[np.argsort(-objectness[likely], kind="stable")[:CANDIDATES]]]
    found = found[np.isfinite(found).all(axis=1)]
    found = np.concatenate([clip(found[:, _BOX], size_hw), found[:, OBJECTNESS:]], axis=1)
    found = found[(found[:, 2:4] - found[:, :2] >= 1).all(axis=1)]
    classes = found[:, _CLASSES].argmax(axis=1)
    return found[nms(found[:, _BOX], found[:, OBJECTNESS], classes, NMS_IOU, USUAL_DETECTIONS)]
