"""Random images as an evaluation sees them: detections, annotations, crowds; the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable

from gluon_yolo.detections import Detections

CLASSES = ("ant", "bee", "cat")
Image = tuple[Detections, Detections, Detections]
Box = list[float]


def detected_images(seed: int, count: int = 20, unsure: bool = True) -> list[Image]:
    """Return detections, annotations and crowds of each image.

    Some detections are right, some of another class, off their place, twice on an object, or on nothing.
    Coordinates are multiples of 0.25, so that float32 has them exactly.

    Args:
        seed: of the random numbers.
        count: number of images.
        unsure: have difficult objects and crowds too.
    """
    draw = random.Random(seed).random
    return [_image(draw, unsure) for _ in range(count)]


def _image(draw: Callable[[], float], unsure: bool) -> Image:
    objects = [(_box(draw), int(3 * draw())) for _ in range(int(6 * draw()))]
    difficult = [unsure and draw() < 0.15 for _ in objects]
    crowds = [(_box(draw, 4), int(3 * draw())) for _ in range(int(unsure and draw() < 0.3))]
    rows: list[tuple[Box, int, float]] = []
    for box, class_id in objects:
        for chance in (0.85, 0.3):
            if draw() < chance:
                named = class_id if draw() < 0.75 else int(3 * draw())
                rows.append((_moved(box, draw), named, draw()))
    rows += [(_box(draw), int(3 * draw()), 0.7 * draw()) for _ in range(int(4 * draw()))]
    for box, class_id in crowds:
        rows += [(_within(box, draw), class_id, draw()) for _ in range(2)]
    predicted = Detections([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    truth = Detections(
        [box for box, _ in objects], [class_id for _, class_id in objects], difficult=difficult
    )
    return predicted, truth, Detections([box for box, _ in crowds], [class_id for _, class_id in crowds])


def _rounded(*sides: float) -> Box:
    return [round(4 * side) / 4 for side in sides]


def _box(draw: Callable[[], float], scale: float = 1) -> Box:
    x, y, width, height = 150 * draw(), 150 * draw(), scale * (12 + 40 * draw()), scale * (12 + 40 * draw())
    return _rounded(x, y, x + width, y + height)


def _moved(box: Box, draw: Callable[[], float]) -> Box:
    x1, y1, x2, y2 = box
    dx, dy = 0.7 * (x2 - x1) * (draw() - 0.5), 0.7 * (y2 - y1) * (draw() - 0.5)
    return _rounded(x1 + dx, y1 + dy, x2 + dx, y2 + dy)


def _within(box: Box, draw: Callable[[], float]) -> Box:
    x1, y1, x2, y2 = box
    width, height = (x2 - x1) / 4, (y2 - y1) / 4
    x, y = x1 + 3 * width * draw(), y1 + 3 * height * draw()
    return _rounded(x, y, x + width, y + height)
