"""Box coders: they encode a box relative to an anchor in a grid cell, and decode it.

Anchors have a flat index: by level, then by anchor, row and column: ``offset(level) + (anchor * H + row) * W
+ column``.

A decoded box is four arrays of one shape, x1, y1, x2, y2, in input pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from gluon_yolo.boxes import cxcywh_to_xyxy
from gluon_yolo.spec import DetectionSpec

# Columns of the anchor grid (:class:`gluon_yolo.models.decode.LevelAnchorGrid`): column and row of the cell,
# the stride in pixels, the xy_scale, and half of the anchor's width and height in pixels.
ANCHOR_GRID_COLUMNS = 6

# A size's exponential becomes linear above this exponent while a loss trains it: at 2981 times the anchor.
_LARGEST_EXPONENT = 8.0


class BoxCoder(ABC):
    """Base class: the centre is a sigmoid within the cell; a subclass defines the size.

    An ``xy_scale`` over 1 stretches the sigmoid's range about the middle of the cell, so that a centre on the
    edge of the cell needs no infinite logit (Bochkovskiy et al. 2020, section 3.4).

    :meth:`encode` returns targets: the position of the centre in the stretched range, 0..1 (the value of the
    sigmoid, not its logit), and a target of the size that the subclass defines. The ``decode`` functions take
    raw predictions.

    Source of the centre: Redmon & Farhadi 2018, section 2.1.
    """

    name: str

    @staticmethod
    @abstractmethod
    def encode_sizes(ratios: np.ndarray) -> np.ndarray:
        """Turn size ratios, box over anchor, above 0, (M, 2) into targets (M, 2)."""

    @staticmethod
    @abstractmethod
    def ratio_array(deltas: np.ndarray) -> np.ndarray:
        """Turn raw tw, th into size ratios, box over anchor; the NumPy counterpart of :meth:`ratio`."""

    @staticmethod
    @abstractmethod
    def ratio(F: Any, deltas: Any) -> Any:
        """Turn raw tw, th of any shape into size ratios, box over anchor."""

    @staticmethod
    @abstractmethod
    def bounded_ratio(F: Any, deltas: Any) -> Any:
        """Return the same as :meth:`ratio`, but with finite values and gradients where that overflows."""

    @classmethod
    def encode(
        cls,
        cxcywh: np.ndarray,
        cells: np.ndarray,
        anchors: np.ndarray,
        strides: np.ndarray,
        xy_scales: np.ndarray | float = 1,
    ) -> np.ndarray:
        """Turn boxes into targets.

        Args:
            cxcywh: (M, 4) boxes in input pixels. Sides are at least 1 pixel; a centre outside the range of
                its cell is clipped to it.
            cells: (M, 2) column and row of each box's cell.
            anchors: (M, 2) width and height in input pixels.
            strides: (M,) input pixels per cell.
            xy_scales: (M,) range of the centre in cells.

        Returns:
            (M, 4) float32: position of the centre in its range along x and y, 0..1; target of width and
            height.
        """
        xy_range = np.broadcast_to(xy_scales, strides.shape)[:, None]
        position = np.clip((cxcywh[:, :2] / strides[:, None] - cells - 0.5) / xy_range + 0.5, 0, 1)
        scale = cls.encode_sizes(np.maximum(cxcywh[:, 2:], 1) / anchors)
        return np.concatenate([position, scale], axis=1).astype(np.float32)

    @classmethod
    def decode_array(
        cls,
        deltas: np.ndarray,
        cells: np.ndarray,
        anchors: np.ndarray,
        strides: np.ndarray,
        xy_scales: np.ndarray | float = 1,
    ) -> np.ndarray:
        """Turn raw deltas (M, 4) into corners (M, 4) in input pixels; the NumPy form of :meth:`decode`."""
        xy_range = np.broadcast_to(xy_scales, strides.shape)[:, None]
        position = (sigmoid(deltas[:, :2]) - 0.5) * xy_range + 0.5
        centre = (position + cells) * strides[:, None]
        return cxcywh_to_xyxy(np.concatenate([centre, cls.ratio_array(deltas[:, 2:]) * anchors], axis=1))

    @classmethod
    def decode(cls, F: Any, deltas: Any, anchors: Any, stride: int, xy_scale: float = 1) -> tuple[Any, ...]:
        """Turn the raw deltas of one level into boxes.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            deltas: (B, A, 4, H, W) raw tx, ty, tw, th.
            anchors: (1, A, 2, 1, 1) width and height in input pixels.
            stride: input pixels per cell.
            xy_scale: range of the centre in cells.

        Returns:
            x1, y1, x2, y2, each (B, A, 1, H, W), in input pixels.
        """
        column = F.reshape(F.contrib.arange_like(deltas, axis=4), (1, 1, 1, 1, -1))
        row = F.reshape(F.contrib.arange_like(deltas, axis=3), (1, 1, 1, -1, 1))
        position = F.sigmoid(F.slice_axis(deltas, axis=2, begin=0, end=2))
        if xy_scale != 1:
            position = position * xy_scale - (xy_scale - 1) / 2
        half = F.broadcast_mul(cls.ratio(F, F.slice_axis(deltas, axis=2, begin=2, end=4)), anchors * 0.5)
        x = F.broadcast_add(F.slice_axis(position, axis=2, begin=0, end=1), column) * stride
        y = F.broadcast_add(F.slice_axis(position, axis=2, begin=1, end=2), row) * stride
        half_w = F.slice_axis(half, axis=2, begin=0, end=1)
        half_h = F.slice_axis(half, axis=2, begin=1, end=2)
        return x - half_w, y - half_h, x + half_w, y + half_h

    @classmethod
    def decode_rows(cls, F: Any, deltas: Any, anchor_rows: Any) -> tuple[Any, ...]:
        """Turn the raw deltas of some anchors into boxes for a loss: values and gradients are finite.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            deltas: (B, M, 4) raw tx, ty, tw, th.
            anchor_rows: (B, M, 6) rows of the anchor grid, columns as at ``ANCHOR_GRID_COLUMNS``.

        Returns:
            x1, y1, x2, y2, each (B, M, 1), in input pixels.
        """
        cells, stride, xy_range, half = (
            F.slice_axis(anchor_rows, axis=2, begin=begin, end=end)
            for begin, end in ((0, 2), (2, 3), (3, 4), (4, 6))
        )
        position = (
            F.broadcast_mul(F.sigmoid(F.slice_axis(deltas, axis=2, begin=0, end=2)) - 0.5, xy_range) + 0.5
        )
        centre = F.broadcast_mul(position + cells, stride)
        half = cls.bounded_ratio(F, F.slice_axis(deltas, axis=2, begin=2, end=4)) * half
        return (
            *F.split(centre - half, num_outputs=2, axis=2),
            *F.split(centre + half, num_outputs=2, axis=2),
        )


class YOLOv3BoxCoder(BoxCoder):
    """The size is an exponential times the anchor (Redmon & Farhadi 2018, section 2.1).

    The target of a size is the logarithm of its ratio to the anchor, so the raw prediction itself.
    """

    name = "yolo3"

    @staticmethod
    def encode_sizes(ratios: np.ndarray) -> np.ndarray:
        """Return the logarithms of the ratios."""
        return np.log(ratios)

    @staticmethod
    def ratio_array(deltas: np.ndarray) -> np.ndarray:
        """Return the exponentials; infinite on overflow."""
        return np.exp(deltas)

    @staticmethod
    def ratio(F: Any, deltas: Any) -> Any:
        """Return the exponentials; infinite on overflow."""
        return F.exp(deltas)

    @staticmethod
    def bounded_ratio(F: Any, deltas: Any) -> Any:
        """Return the exponentials up to an exponent of 8, and their tangent above it."""
        beyond = F.relu(deltas - _LARGEST_EXPONENT)
        return F.exp(F.broadcast_minimum(deltas, F.full((1,), _LARGEST_EXPONENT))) * (1 + beyond)


class SquaredSigmoidBoxCoder(BoxCoder):
    """The size is ``(2 sigmoid(t))^2`` times the anchor: at most four times the anchor.

    The target of a size is the value of the sigmoid, 0..1; a box larger than four times the anchor has the
    target 1.

    Source: Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2, ``handel_preds``), with an ``xy_scale`` of
    2; darknet's ``new_coords=1``.
    """

    name = "squared_sigmoid"

    @staticmethod
    def encode_sizes(ratios: np.ndarray) -> np.ndarray:
        """Return ``sqrt(ratio) / 2``, at most 1."""
        return np.clip(np.sqrt(ratios) / 2, 0, 1)

    @staticmethod
    def ratio_array(deltas: np.ndarray) -> np.ndarray:
        """Return ``(2 sigmoid(t))^2``, 0..4."""
        return (2 * sigmoid(deltas)) ** 2

    @staticmethod
    def ratio(F: Any, deltas: Any) -> Any:
        """Return ``(2 sigmoid(t))^2``, 0..4."""
        return F.square(F.sigmoid(deltas) * 2)

    @staticmethod
    def bounded_ratio(F: Any, deltas: Any) -> Any:
        """Return :meth:`ratio`, which is bounded already."""
        return SquaredSigmoidBoxCoder.ratio(F, deltas)


BOX_CODERS: dict[str, type[BoxCoder]] = {
    box_coder.name: box_coder for box_coder in (YOLOv3BoxCoder, SquaredSigmoidBoxCoder)
}


def box_coder_of(spec: DetectionSpec) -> type[BoxCoder]:
    """Return the box coder that a spec names.

    Raises:
        ValueError: no box coder has that name.
    """
    if spec.box_coding not in BOX_CODERS:
        raise ValueError(f"box_coding: expected one of {', '.join(BOX_CODERS)}, got {spec.box_coding!r}")
    return BOX_CODERS[spec.box_coding]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the sigmoid; unlike 1 / (1 + exp(-x)) this formula does not overflow."""
    return 0.5 * (1 + np.tanh(x / 2))
