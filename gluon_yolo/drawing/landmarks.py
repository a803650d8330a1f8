"""Draw landmarks on an image, (H, W, 3) uint8 RGB: a dot a point, in the colour of its part of the face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from gluon_yolo.drawing.draw import Colour

# In the order of a network's groups: contour, brows, eyes, nose, mouth. Points of no group have the last.
COLOURS: tuple[Colour, ...] = (
    (64, 224, 255),
    (255, 196, 0),
    (96, 255, 96),
    (255, 112, 255),
    (255, 80, 80),
    (255, 255, 255),
)
_ACROSS = 90  # the face's longer side over this is a dot's radius
_PIXEL = 0.7  # a dot of a smaller radius is one pixel: OpenCV's smallest circle has 13
_FRACTION = 4  # bits of a pixel's fraction, for OpenCV


def draw_landmarks(image: np.ndarray, points: np.ndarray, groups: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Return a copy of the image with a dot for each point.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, P, 2) x and y in its pixels, of N faces.
        groups: indices of the points by the part of the face.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas = np.ascontiguousarray(image).copy()
    colours = point_colours(points.shape[1] if points.ndim == 3 else 0, groups)
    for face in points:
        radius = float(np.ptp(face, axis=0).max(initial=0)) / _ACROSS
        fixed = round(max(1.0, radius) * (1 << _FRACTION))
        # Far outside of the image, OpenCV's fixed-point numbers would overflow.
        near = np.abs(face).max(axis=1, initial=0) < 2 * max(canvas.shape)
        for place, ink, seen in zip(face, colours, near):
            if seen and radius < _PIXEL:
                x, y = np.rint(place).astype(int).tolist()
                canvas[max(y, 0) : max(y + 1, 0), max(x, 0) : max(x + 1, 0)] = ink
            elif seen:
                middle = [round(float(number) * (1 << _FRACTION)) for number in place]
                cv2.circle(canvas, middle, fixed, ink, cv2.FILLED, cv2.LINE_AA, _FRACTION)
    return canvas


def point_colours(count: int, groups: Mapping[str, Sequence[int]]) -> list[Colour]:
    """Return each point's colour.

    Args:
        count: number of points.
        groups: indices of the points by the part of the face.
    """
    colours = [COLOURS[-1]] * count
    for number, members in enumerate(groups.values()):
        for point in members:
            colours[point] = COLOURS[number % (len(COLOURS) - 1)]
    return colours
