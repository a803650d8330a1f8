"""Draw boxes and labels on an image, (H, W, 3) uint8 RGB."""

from __future__ import annotations

import colorsys
import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from gluon_yolo.drawing.label_layout import place_labels

FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = 255
_LINES, _LETTERS = 300, 400  # the image's diagonal divided by these is a line's width, and the letters' unit
_SIDES = 10  # a line is at most a tenth of a box's shorter side
_SMALLEST = 0.33  # scale of the font; smaller digits are illegible
Colour = tuple[int, int, int]


class Boxes(Protocol):
    """What is drawn: a record of boxes, such as :class:`gluon_yolo.detections.Detections`."""

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4) corners x1, y1, x2, y2 in the image's pixels."""

    @property
    def class_ids(self) -> np.ndarray:
        """(N,) indices into the class names."""

    @property
    def scores(self) -> np.ndarray | None:
        """(N,) within 0..1; None for ground truth."""


def colour_of(class_id: int) -> Colour:
    """Return the RGB colour of a class; consecutive hues differ by the golden ratio of the colour wheel."""
    hue = (0.02 + class_id * 0.61803398875) % 1.0
    saturation, value = (0.9, 0.65)[class_id // 8 % 2], (0.95, 0.8)[class_id // 16 % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw(
    image: np.ndarray,
    detections: Boxes,
    class_names: Sequence[str],
    score_threshold: float = 0.0,
    labels: bool = True,
    scores: bool = True,
    line_width: int | None = None,
) -> np.ndarray:
    """Return a copy of the image with a box and a label for each detection, the best score on top.

    Labels are placed beside objects and other labels. In crowded images labels are smaller, or only the score
    is written. A label that would hide an object or another label is left out, lowest scores first.

    Args:
        image: (H, W, 3) uint8 RGB; line width and letters scale with its size.
        detections: boxes in the image's pixels; scores are written into the labels.
        class_names: one name per class id.
        score_threshold: detections with a lower score are not drawn.
        labels: False draws the boxes only.
        scores: False leaves the scores out of the labels.
        line_width: width of the boxes' lines in pixels; None chooses it from the image's size.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas = np.ascontiguousarray(image).copy()
    boxes, class_ids, shown = detections.boxes, detections.class_ids, detections.scores
    if shown is not None:
        falling = np.argsort(-shown, kind="stable")
        kept = falling[shown[falling] >= score_threshold]
        boxes, class_ids, shown = boxes[kept], class_ids[kept], shown[kept]
    diagonal = math.hypot(*canvas.shape[:2])
    corners = np.round(boxes).astype(int)
    # A small box has thinner lines, so that the lines do not fill it.
    usual = max(1, round(diagonal / _LINES))
    slim = np.maximum(1, np.minimum(usual, (corners[:, 2:] - corners[:, :2]).min(axis=1) // _SIDES))
    widths = slim if line_width is None else np.full(len(corners), line_width)
    outer = corners + np.stack([-(widths // 2)] * 2 + [widths - widths // 2] * 2, axis=1)
    for box, width, class_id in zip(outer[::-1], widths[::-1].tolist(), class_ids[::-1].tolist()):
        _outline(canvas, box.tolist(), width, colour_of(class_id))
    if labels:
        letters = max(1, round(diagonal / _LETTERS))
        _write_labels(canvas, _labels(class_ids, shown if scores else None, class_names, letters), outer)
    return canvas


def _outline(canvas: np.ndarray, outer: list[int], width: int, colour: Colour) -> None:
    """Draw a box's lines of ``width`` pixels inside its outer edges x1, y1, x2, y2."""
    x1, y1, x2, y2 = outer
    across = ((y1, y1 + width, x1, x2), (y2 - width, y2, x1, x2))
    down = ((y1, y2, x1, x1 + width), (y1, y2, x2 - width, x2))
    for top, bottom, left, right in (*across, *down):
        canvas[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = colour


class _Form(NamedTuple):
    """One way to write a label: the text, the font's scale, the strokes' width and the plate's margin."""

    text: str
    scale: float
    stroke: int
    margin: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The text's width, its height above the base line, and its height below, in pixels."""
        (width, height), below = cv2.getTextSize(self.text, FONT, self.scale, self.stroke)
        return width, height, below

    @property
    def plate_wh(self) -> tuple[int, int]:
        """The plate's width and height in pixels."""
        width, height, below = self.sizes
        return width + 2 * self.margin, height + below + self.margin


def _labels(
    class_ids: np.ndarray, scores: np.ndarray | None, class_names: Sequence[str], unit: int
) -> list[tuple[Colour, list[_Form]]]:
    """Return each label's colour and its forms, from the most readable to the shortest."""
    usual = max(0.4, 0.22 + 0.18 * unit)
    small = max(_SMALLEST, 0.7 * usual)
    labels = []
    for i, class_id in enumerate(class_ids.tolist()):
        text, short = printable(class_names[class_id], class_id), ""
        if scores is not None:
            short = f"{scores[i]:.2f}"
            text = f"{text} {short}"
        forms = [_form(text, usual, unit), _form(text, small, unit)]
        if short:
            forms += [_form(short, scale, unit) for scale in (small, max(_SMALLEST, 0.5 * usual))]
        labels.append((colour_of(class_id), forms))
    return labels


def _form(text: str, scale: float, unit: int) -> _Form:
    return _Form(text, scale, max(1, round(scale * 1.6)), max(2, min(unit, round(6 * scale))))


def _write_labels(
    canvas: np.ndarray, labels: Sequence[tuple[Colour, list[_Form]]], corners: np.ndarray
) -> None:
    """Write labels on plates of their boxes' colours, where there is room.

    Args:
        canvas: (H, W, 3) uint8 RGB, changed in place.
        labels: colour and forms of each label.
        corners: (N, 4) of the boxes with their lines, in integer pixels.
    """
    sizes = [[form.plate_wh for form in forms] for _, forms in labels]
    places = place_labels(corners, sizes, (canvas.shape[0], canvas.shape[1]))
    for (colour, forms), place in zip(labels, places):
        if place is not None:
            _write_label(canvas, forms[place.form], (place.left, place.top), colour)


def _write_label(canvas: np.ndarray, form: _Form, left_top: tuple[int, int], colour: Colour) -> None:
    (left, top), (plate_w, plate_h) = left_top, form.plate_wh
    cv2.rectangle(canvas, (left, top), (left + plate_w - 1, top + plate_h - 1), colour, cv2.FILLED)
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140
    ink = (0, 0, 0) if bright else (WHITE, WHITE, WHITE)
    origin = (left + form.margin, top + form.margin // 2 + form.sizes[1])
    cv2.putText(canvas, form.text, origin, FONT, form.scale, ink, form.stroke, cv2.LINE_AA)


def printable(name: str, class_id: int) -> str:
    """Return a name in the ASCII letters of OpenCV's font, or ``#`` and the class id when it has none."""
    letters = [letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter)]
    plain = "".join(letters).encode("ascii", "replace").decode()
    return plain if any(letter.isalnum() for letter in plain) else f"#{class_id}"
