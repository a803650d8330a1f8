"""Postprocessing: thresholds, limits and NMS turn a network's output into detections."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.errors import DamagedModel, SettingText, UserError
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.nms import Selection, choose
from gluon_yolo.text import counted, did_you_mean

log = logging.getLogger("gluon_yolo")

NMS = ("class", "agnostic")
FARTHEST = 1e6  # pixels from the image; a box further away is left out, since its area could overflow
_NAMES_SHOWN = 12


def check_limits(nms: str, shares: dict[str, float], limits: dict[str, int | None]) -> None:
    """Check the settings of postprocessing.

    Args:
        nms: a word of ``NMS``.
        shares: numbers within 0 and 1, by their name in messages.
        limits: integers of 1 or more, by their name in messages; None is no limit.

    Raises:
        UserError: a setting is out of its range.
    """
    for what, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError(f"{what} {share}: must lie within 0 and 1")
    for what, limit in limits.items():
        if limit is not None and limit < 1:
            raise UserError(f"{what} {limit}: expected 1 or more")
    if nms not in NMS:
        raise UserError(f"nms {nms!r}: expected {' or '.join(NMS)}")


def class_ids_of(names: Sequence[str] | None, known: Sequence[str]) -> np.ndarray | None:
    """Return the class ids of some names, ascending; None for None, which means all.

    Raises:
        UserError: a name is unknown, or there is none.
    """
    if names is None:
        return None
    if isinstance(names, str) or not names:
        raise UserError(f"classes_only {names!r}: expected a list of class names, at least one")
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, most=3) or f"it knows {listed(known)}"
            raise UserError(f"class {name!r}: the model does not know it; {hint.rstrip()}")
    return np.array(sorted({list(known).index(name) for name in names}))


def warn_of_limit(place: str, limit: int | None, wanted: int) -> None:
    """Log a warning where the NMS in a model's graph returns fewer detections than wanted.

    Args:
        place: the model and its runtime, for the message.
        limit: number of detections that the graph returns; None for all.
        wanted: number of detections wanted.
    """
    if limit is not None and limit < wanted:
        text = (
            f"{place} reads a graph that ends with its own suppression, which lets {limit} detections of a "
            f"picture stand, and not {wanted}; export it again with {{max_detections}} {wanted}, or with "
            "{cut} decoded"
        )
        log.warning("%s", SettingText(text))


def warn_of_candidates(place: str, compared: int | None, wanted: int | None) -> None:
    """Log a warning where the NMS in a model's graph compares fewer boxes than wanted.

    Args:
        place: the model and its runtime, for the message.
        compared: number of boxes that the graph's NMS compares; None where it has none.
        wanted: number of candidates wanted; None where the user gave none.
    """
    if compared is not None and wanted is not None and compared < wanted:
        text = (
            f"{place} reads a graph that ends with its own suppression, which compares the best {compared} "
            f"boxes of a picture, and not {wanted}; export it again with {{max_candidates}} {wanted}, or "
            "with {cut} decoded"
        )
        log.warning("%s", SettingText(text))


def listed(names: Sequence[str], most: int = _NAMES_SHOWN) -> str:
    """Return names with commas between them, and their number where not all are shown."""
    more = [f"... {len(names)} in all"] if len(names) > most else []
    return ", ".join([*map(repr, names[:most]), *more])


def check_output(given: Sequence[np.ndarray], images: int, classes: int) -> None:
    """Check that a network's output is that of a detector.

    Args:
        given: boxes (B, N, 4) and scores (B, N, C), or :class:`RawMaps`.
        images: B.
        classes: C.

    Raises:
        DamagedModel: it has other shapes.
    """
    if isinstance(given, RawMaps):
        fits, shapes = given.fit(images), given.shapes()
    else:
        shapes = [np.shape(array) for array in given]
        anchors = shapes[0][1] if len(shapes) == 2 and len(shapes[0]) == 3 else 0
        fits = shapes == [(images, anchors, 4), (images, anchors, classes)]
    if not fits:
        raise DamagedModel(
            f"the network's output has the shapes {', '.join(map(str, shapes))}, which are not those of a "
            f"detector of {counted(classes, 'class')}: its file is damaged, or of another network"
        )


def choose_from(
    given: Sequence[np.ndarray], index: int, score_threshold: float, network_limit: int | None, **limits: Any
) -> Selection:
    """Return the detections of one image in a network's output.

    Args:
        given: boxes (B, N, 4) in input pixels and scores (B, N, C), or :class:`RawMaps`.
        index: of the image in the batch.
        score_threshold: within 0..1.
        network_limit: largest number of boxes that the network itself returns; None for a network that
            returns all.
        **limits: further arguments of :func:`gluon_yolo.nms.choose`.

    Raises:
        DamagedModel: the scores are not finite.
    """
    if isinstance(given, RawMaps):
        boxes, scores = given.above(score_threshold, index)
    else:
        boxes, scores = given[0][index], given[1][index]
    if not np.isfinite(scores.max(initial=0)):
        raise DamagedModel(
            "the network's scores are not finite numbers: its weights are damaged, or training diverged"
        )
    # The exponentials of an untrained network overflow; such boxes are left out.
    chosen = choose(boxes, scores, score_threshold=score_threshold, farthest=FARTHEST, **limits)
    if network_limit is not None and len(scores) >= network_limit:
        least = float(scores.max(axis=1).min())  # score of the last box that the network returned
        if least > max(chosen.left_out, score_threshold):
            return chosen._replace(left_out=least)
    return chosen
