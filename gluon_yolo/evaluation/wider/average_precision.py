"""The average precision of WIDER FACE's official tools (Yang et al. 2016, "WIDER FACE", and its MATLAB code).

It differs from Pascal VOC's in four ways: scores are scaled by the least and the largest of all images;
precision and recall are taken at a thousand thresholds; a prediction belongs to the face that it overlaps
most among all faces, and counts neither way where this one is not in the set; and the faces of a set are a
part of the image's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.evaluation.voc_ap import area_ap
from gluon_yolo.evaluation.wider.ground_truth import ImageFaces

IOU_THRESHOLD = 0.5
_THRESHOLDS = 1 - np.arange(1, 1001) / 1000


class Matched(NamedTuple):
    """The predictions of an image, matched to its faces; best first.

    Args:
        scores: (P,) float64.
        counted: (3, P) bool: whether a prediction is in the denominator of precision, for each set.
        hits: (3, P) bool: whether it is the first on a face of the set, a true positive.
    """

    scores: np.ndarray
    counted: np.ndarray
    hits: np.ndarray


def match(boxes: np.ndarray, scores: np.ndarray, faces: ImageFaces) -> Matched:
    """Match the predictions of an image to its faces.

    Args:
        boxes: (P, 4) corners in pixels.
        scores: (P,).
        faces: of the image.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order].astype(np.float64), scores[order].astype(np.float64)
    counted = np.ones((len(faces.in_set), len(boxes)), dtype=bool)
    hits = np.zeros_like(counted)
    if len(boxes) and len(faces.boxes):
        corners = np.concatenate([faces.boxes[:, :2], faces.boxes[:, :2] + faces.boxes[:, 2:]], axis=1)
        inclusive = np.array([0.0, 0, 1, 1])  # the last pixel belongs to a box
        overlaps = iou_matrix(boxes + inclusive, corners + inclusive)
        nearest = overlaps.argmax(axis=1)
        near = np.flatnonzero(overlaps.max(axis=1) >= IOU_THRESHOLD)
        in_set = faces.in_set[:, nearest[near]]
        counted[:, near] = in_set
        _, first = np.unique(nearest[near], return_index=True)  # the best prediction of each face
        hits[:, near[first]] = in_set[:, first]
    return Matched(scores, counted, hits)


def average_precisions(matched: list[Matched], faces: np.ndarray) -> list[float]:
    """Return the average precision of each set over all images.

    Args:
        matched: the predictions of each image.
        faces: (3,) the number of faces of each set.

    Returns:
        Three numbers; NaN for a set without faces.
    """
    scores = np.concatenate([np.zeros(0), *(image.scores for image in matched)])
    counted = np.concatenate([np.zeros((len(faces), 0), bool), *(image.counted for image in matched)], axis=1)
    hits = np.concatenate([np.zeros((len(faces), 0), bool), *(image.hits for image in matched)], axis=1)
    order = np.argsort(-scores, kind="stable")
    above = np.searchsorted(-_scaled(scores)[order], -_THRESHOLDS, side="right")  # predictions, by threshold
    results = []
    for total, counted_in_set, hits_in_set in zip(faces, counted[:, order], hits[:, order]):
        true_positives = np.concatenate([[0], np.cumsum(hits_in_set)])[above]
        positives = np.concatenate([[0], np.cumsum(counted_in_set)])[above]
        precision = true_positives / np.maximum(positives, 1)
        results.append(area_ap(true_positives / total, precision) if total else float("nan"))
    return results


def _scaled(scores: np.ndarray) -> np.ndarray:
    """Return scores so that the least is 0 and the largest 1; all are 1 where they are equal."""
    least, largest = scores.min(initial=1), scores.max(initial=0)
    return np.ones_like(scores) if largest <= least else (scores - least) / (largest - least)
