"""Box codings: how a box is written relative to an anchor in a cell, and read back.

Anchors are counted flat, level by level, and within a level by anchor, then row, then column:
``offset(level) + (anchor * H + row) * W + column``.
"""

from __future__ import annotations

import numpy as np

from gluon_yolo.boxes import cxcywh_to_xyxy
from gluon_yolo.spec import DetectionSpec


class YOLOv3Coding:
    """Centre by sigmoid in the cell, size by exponential of the anchor (Redmon & Farhadi 2018, section 2.1).

    With an ``xy_scale`` over 1 the sigmoid's range is stretched about the cell's middle, so that a centre on
    the edge needs no infinite argument (Bochkovskiy et al. 2020, section 3.4).

    ``encode`` gives what the loss compares: the centre's place in the cell in 0..1 (the sigmoid's value, not
    its argument), and the logarithm of the size over the anchor's. ``decode`` reads raw predictions.
    """

    name = "yolo3"

    @staticmethod
    def encode(
        cxcywh: np.ndarray,
        cells: np.ndarray,
        anchors: np.ndarray,
        strides: np.ndarray,
        xy_scales: np.ndarray | float = 1,
    ) -> np.ndarray:
        """Turn boxes into targets.

        Args:
            cxcywh: (M, 4) boxes in input pixels; sides under one pixel count as one, a centre out of reach as
                on the edge of what can be reached.
            cells: (M, 2) column and row of each box's cell.
            anchors: (M, 2) width and height in input pixels.
            strides: (M,) input pixels per cell.
            xy_scales: (M,) cells that a centre reaches over.

        Returns:
            (M, 4): place in that reach along x and y in 0..1, log of width and height over the anchor's.
        """
        reach = np.broadcast_to(xy_scales, strides.shape)[:, None]
        place = np.clip((cxcywh[:, :2] / strides[:, None] - cells - 0.5) / reach + 0.5, 0, 1)
        scale = np.log(np.maximum(cxcywh[:, 2:], 1) / anchors)
        return np.concatenate([place, scale], axis=1).astype(np.float32)

    @staticmethod
    def decode_array(
        deltas: np.ndarray,
        cells: np.ndarray,
        anchors: np.ndarray,
        strides: np.ndarray,
        xy_scales: np.ndarray | float = 1,
    ) -> np.ndarray:
        """Turn raw deltas (M, 4) into corners (M, 4) in input pixels; the NumPy twin of :meth:`decode`."""
        reach = np.broadcast_to(xy_scales, strides.shape)[:, None]
        place = (1 / (1 + np.exp(-deltas[:, :2])) - 0.5) * reach + 0.5
        centre = (place + cells) * strides[:, None]
        return cxcywh_to_xyxy(np.concatenate([centre, np.exp(deltas[:, 2:]) * anchors], axis=1))

    @staticmethod
    def decode(F, deltas, anchors, stride: int, xy_scale: float = 1) -> tuple:
        """Turn one level's raw deltas into corners.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            deltas: (B, A, 4, H, W) raw tx, ty, tw, th.
            anchors: (1, A, 2, 1, 1) width and height in input pixels.
            stride: input pixels per cell.
            xy_scale: cells that a centre reaches over.

        Returns:
            x1, y1, x2, y2, each (B, A, 1, H, W), in input pixels.
        """
        column = F.reshape(F.contrib.arange_like(deltas, axis=4), (1, 1, 1, 1, -1))
        row = F.reshape(F.contrib.arange_like(deltas, axis=3), (1, 1, 1, -1, 1))
        place = F.sigmoid(F.slice_axis(deltas, axis=2, begin=0, end=2))
        if xy_scale != 1:
            place = place * xy_scale - (xy_scale - 1) / 2
        half = F.broadcast_mul(F.exp(F.slice_axis(deltas, axis=2, begin=2, end=4)), anchors * 0.5)
        x = F.broadcast_add(F.slice_axis(place, axis=2, begin=0, end=1), column) * stride
        y = F.broadcast_add(F.slice_axis(place, axis=2, begin=1, end=2), row) * stride
        half_w = F.slice_axis(half, axis=2, begin=0, end=1)
        half_h = F.slice_axis(half, axis=2, begin=1, end=2)
        return x - half_w, y - half_h, x + half_w, y + half_h


CODINGS = {coding.name: coding for coding in (YOLOv3Coding,)}


def coding_of(spec: DetectionSpec) -> type[YOLOv3Coding]:
    """Return the box coding that a spec names.

    Raises:
        ValueError: when there is none of that name.
    """
    if spec.box_coding not in CODINGS:
        raise ValueError(f"box_coding: expected one of {', '.join(CODINGS)}, got {spec.box_coding!r}")
    return CODINGS[spec.box_coding]
