"""Choice: what a network gives of an image -> its detections, by thresholds and limits that are checked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.errors import SettingText, UserError
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.nms import Selection, choose
from gluon_yolo.text import did_you_mean

log = logging.getLogger("gluon_yolo")

NMS = ("class", "agnostic")
FARTHEST = 1e6  # pixels from the image; a box beyond is nowhere, and its area would overflow
_NAMES_SHOWN = 12


def check_limits(nms: str, shares: dict[str, float], limits: dict[str, int | None]) -> None:
    """Demand that a choice can be made.

    Args:
        nms: a word of ``NMS``.
        shares: numbers within 0 and 1, by what messages call them.
        limits: whole numbers from 1 up, likewise; None is no limit.

    Raises:
        UserError: one of them is out of its range.
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
    """Return the class ids of some names, ascending; None for None, which stands for all.

    Raises:
        UserError: one of them is unknown, or there is none.
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
    """Log a warning where a model's own suppression lets fewer detections stand than are wanted.

    Args:
        place: the model, and what runs it.
        limit: what it lets stand; None for all.
        wanted: how many.
    """
    if limit is not None and limit < wanted:
        text = (
            f"{place} reads a graph that ends with its own suppression, which lets {limit} detections of a "
            f"picture stand, and not {wanted}; export it again with {{max_detections}} {wanted}, or with "
            "{cut} decoded"
        )
        log.warning("%s", SettingText(text))


def listed(names: Sequence[str], most: int = _NAMES_SHOWN) -> str:
    """Return names with commas between, and how many there are where not all are shown."""
    more = [f"... {len(names)} in all"] if len(names) > most else []
    return ", ".join([*map(repr, names[:most]), *more])


def choose_from(
    given: Sequence[np.ndarray], index: int, score_threshold: float, network_limit: int | None, **limits: Any
) -> Selection:
    """Return one image's detections, of what a network gave for its batch.

    Args:
        given: boxes (B, N, 4) in input pixels and scores (B, N, C), or the raw maps that give them.
        index: of the image in the batch.
        score_threshold: within 0..1.
        network_limit: boxes at most that the network itself lets stand; None for one that gives all.
        **limits: what else :func:`gluon_yolo.nms.choose` takes.

    Raises:
        UserError: the scores are no numbers.
    """
    if isinstance(given, RawMaps):
        boxes, scores = given.above(score_threshold, index)
    else:
        boxes, scores = given[0][index], given[1][index]
    if not np.isfinite(scores.max(initial=0)):
        raise UserError(
            "the network's scores are not finite numbers: its weights are damaged, or training diverged"
        )
    # An untrained network's exponentials overflow, and its boxes are nowhere.
    chosen = choose(boxes, scores, score_threshold=score_threshold, farthest=FARTHEST, **limits)
    if network_limit is not None and len(scores) >= network_limit:
        least = float(scores.max(axis=1).min())  # of the last row that the network let stand
        if least > max(chosen.left_out, score_threshold):
            return chosen._replace(left_out=least)
    return chosen
