"""Box codings: how a box is written relative to an anchor in a cell, and read back.

Anchors are counted flat, level by level, and within a level by anchor, then row, then column:
``offset(level) + (anchor * H + row) * W + column``.

Sides of a coded box: x1, y1, x2, y2, four arrays of one shape, in input pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from gluon_yolo.boxes import cxcywh_to_xyxy
from gluon_yolo.spec import DetectionSpec

# Columns of an anchor's place (:class:`gluon_yolo.models.decode.LevelPlaces`): its cell's column and row,
# pixels per cell, cells that a centre reaches over, and half the anchor's width and height in pixels.
PLACE_COLUMNS = 6

# Exponent up to which a predicted size is an exponential while a loss trains it: 2981 times the anchor's.
_LARGEST_EXPONENT = 8.0


class BoxCoder(ABC):
    """Centre by sigmoid in the cell (Redmon & Farhadi 2018, section 2.1); the size is a subclass's affair.

    With an ``xy_scale`` over 1 the sigmoid's range is stretched about the cell's middle, so that a centre on
    the edge needs no infinite argument (Bochkovskiy et al. 2020, section 3.4).

    ``encode`` gives targets: the centre's place in that range in 0..1 (the sigmoid's value, not its
    argument), and of the size what the subclass says. The ``decode`` functions read raw predictions.
    """

    name: str

    @staticmethod
    @abstractmethod
    def encode_sizes(ratios: np.ndarray) -> np.ndarray:
        """Turn sizes over the anchors' (M, 2), above 0, into targets (M, 2)."""

    @staticmethod
    @abstractmethod
    def ratio_array(deltas: np.ndarray) -> np.ndarray:
        """Turn raw tw, th into sizes over the anchors'; the NumPy twin of :meth:`ratio`."""

    @staticmethod
    @abstractmethod
    def ratio(F, deltas):
        """Turn raw tw, th, any shape, into sizes over the anchors'."""

    @staticmethod
    @abstractmethod
    def bounded_ratio(F, deltas):
        """Do as :meth:`ratio`, but stay finite, with a finite gradient, where that overflows."""

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
            cxcywh: (M, 4) boxes in input pixels; sides under one pixel count as one, a centre out of reach as
                on the edge of what can be reached.
            cells: (M, 2) column and row of each box's cell.
            anchors: (M, 2) width and height in input pixels.
            strides: (M,) input pixels per cell.
            xy_scales: (M,) cells that a centre reaches over.

        Returns:
            (M, 4) float32: place in that reach along x and y in 0..1, coded width and height.
        """
        reach = np.broadcast_to(xy_scales, strides.shape)[:, None]
        place = np.clip((cxcywh[:, :2] / strides[:, None] - cells - 0.5) / reach + 0.5, 0, 1)
        scale = cls.encode_sizes(np.maximum(cxcywh[:, 2:], 1) / anchors)
        return np.concatenate([place, scale], axis=1).astype(np.float32)

    @classmethod
    def decode_array(
        cls,
        deltas: np.ndarray,
        cells: np.ndarray,
        anchors: np.ndarray,
        strides: np.ndarray,
        xy_scales: np.ndarray | float = 1,
    ) -> np.ndarray:
        """Turn raw deltas (M, 4) into corners (M, 4) in input pixels; the NumPy twin of :meth:`decode`."""
        reach = np.broadcast_to(xy_scales, strides.shape)[:, None]
        place = (_sigmoid(deltas[:, :2]) - 0.5) * reach + 0.5
        centre = (place + cells) * strides[:, None]
        return cxcywh_to_xyxy(np.concatenate([centre, cls.ratio_array(deltas[:, 2:]) * anchors], axis=1))

    @classmethod
    def decode(cls, F, deltas, anchors, stride: int, xy_scale: float = 1) -> tuple:
        """Turn one level's raw deltas into sides.

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
        half = F.broadcast_mul(cls.ratio(F, F.slice_axis(deltas, axis=2, begin=2, end=4)), anchors * 0.5)
        x = F.broadcast_add(F.slice_axis(place, axis=2, begin=0, end=1), column) * stride
        y = F.broadcast_add(F.slice_axis(place, axis=2, begin=1, end=2), row) * stride
        half_w = F.slice_axis(half, axis=2, begin=0, end=1)
        half_h = F.slice_axis(half, axis=2, begin=1, end=2)
        return x - half_w, y - half_h, x + half_w, y + half_h

    @classmethod
    def decode_rows(cls, F, deltas, places) -> tuple:
        """Turn the raw deltas of some anchors into sides, for a loss: finite, with finite gradients.

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            deltas: (B, M, 4) raw tx, ty, tw, th.
            places: (B, M, 6) of the same anchors, columns as at ``PLACE_COLUMNS``.

        Returns:
            x1, y1, x2, y2, each (B, M, 1), in input pixels.
        """
        cells, stride, reach, half = (
            F.slice_axis(places, axis=2, begin=begin, end=end)
            for begin, end in ((0, 2), (2, 3), (3, 4), (4, 6))
        )
        place = F.broadcast_mul(F.sigmoid(F.slice_axis(deltas, axis=2, begin=0, end=2)) - 0.5, reach) + 0.5
        centre = F.broadcast_mul(place + cells, stride)
        half = cls.bounded_ratio(F, F.slice_axis(deltas, axis=2, begin=2, end=4)) * half
        return (
            *F.split(centre - half, num_outputs=2, axis=2),
            *F.split(centre + half, num_outputs=2, axis=2),
        )


class YOLOv3BoxCoder(BoxCoder):
    """Size by exponential of the anchor (Redmon & Farhadi 2018, section 2.1).

    A size's target is the logarithm of its ratio to the anchor's: what the raw prediction is to be.
    """

    name = "yolo3"

    @staticmethod
    def encode_sizes(ratios: np.ndarray) -> np.ndarray:
        """Return the logarithms."""
        return np.log(ratios)

    @staticmethod
    def ratio_array(deltas: np.ndarray) -> np.ndarray:
        """Return the exponentials; infinite where they overflow."""
        return np.exp(deltas)

    @staticmethod
    def ratio(F, deltas):
        """Return the exponentials; infinite where they overflow."""
        return F.exp(deltas)

    @staticmethod
    def bounded_ratio(F, deltas):
        """Return the exponentials up to that of 8, and from there on their tangent."""
        beyond = F.relu(deltas - _LARGEST_EXPONENT)
        return F.exp(F.broadcast_minimum(deltas, F.full((1,), _LARGEST_EXPONENT))) * (1 + beyond)


class SquaredSigmoidBoxCoder(BoxCoder):
    """Size by ``(2 sigmoid(t))^2`` of the anchor: up to four times it, and never more.

    Source: Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2, ``handel_preds``), with an ``xy_scale`` of
    2; darknet's ``new_coords=1``.

    A size's target is the sigmoid's value, in 0..1; a box larger than four times the anchor counts as that.
    """

    name = "squared_sigmoid"

    @staticmethod
    def encode_sizes(ratios: np.ndarray) -> np.ndarray:
        """Return the sigmoid's values."""
        return np.clip(np.sqrt(ratios) / 2, 0, 1)

    @staticmethod
    def ratio_array(deltas: np.ndarray) -> np.ndarray:
        """Return squares of 0..2."""
        return (2 * _sigmoid(deltas)) ** 2

    @staticmethod
    def ratio(F, deltas):
        """Return squares of 0..2."""
        return F.square(F.sigmoid(deltas) * 2)

    @staticmethod
    def bounded_ratio(F, deltas):
        """Return squares of 0..2, which are bounded as they are."""
        return SquaredSigmoidBoxCoder.ratio(F, deltas)


BOX_CODERS: dict[str, type[BoxCoder]] = {
    box_coder.name: box_coder for box_coder in (YOLOv3BoxCoder, SquaredSigmoidBoxCoder)
}


def box_coder_of(spec: DetectionSpec) -> type[BoxCoder]:
    """Return the box coding that a spec names.

    Raises:
        ValueError: when there is none of that name.
    """
    if spec.box_coding not in BOX_CODERS:
        raise ValueError(f"box_coding: expected one of {', '.join(BOX_CODERS)}, got {spec.box_coding!r}")
    return BOX_CODERS[spec.box_coding]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the sigmoid; unlike 1 / (1 + exp(-x)) it overflows nowhere."""
    return 0.5 * (1 + np.tanh(x / 2))
