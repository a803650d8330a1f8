"""ColorDistort: change brightness, contrast, saturation and hue by one matrix."""

from __future__ import annotations

import numpy as np

from gluon_yolo.data.transforms.base import Transform
from gluon_yolo.data.transforms.limits import check_between, check_range
from gluon_yolo.data.transforms.view import View

# Luma weights of ITU-R BT.601, and the NTSC colour space YIQ, in which hue is an angle.
_LUMA = np.array([0.299, 0.587, 0.114])
_RGB_TO_YIQ = np.array([_LUMA, [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)


class ColorDistort(Transform):
    """Change brightness, contrast, saturation and hue, each with probability 0.5.

    All four are affine in RGB, and contrast commutes with saturation and hue (GluonCV draws their order). So
    one matrix applies all of them, and values are rounded and clipped to 0..255 once; GluonCV does not clip
    its float images.

    Args:
        brightness: largest shift in levels of 0..255, in both directions.
        contrast: range of the factor on all levels.
        saturation: range of the factor on the distance from grey.
        hue_degrees: largest rotation in the chroma plane, in both directions; with 180 all hues are equally
            likely.
    """

    def __init__(
        self,
        brightness: float = 32,
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue_degrees: float = 180,
    ) -> None:
        check_between(0, brightness=brightness, hue_degrees=hue_degrees)
        check_range("contrast", contrast, zero=True)
        check_range("saturation", saturation, zero=True)
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue_degrees = hue_degrees

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Apply a random colour matrix after the view's present one."""
        chosen = rng.random(4) < 0.5
        if not chosen.any():
            return
        shift, linear = 0.0, np.eye(3)
        if chosen[0]:
            shift = rng.uniform(-self.brightness, self.brightness)
        if chosen[1]:
            linear *= rng.uniform(*self.contrast)
        if chosen[2]:
            linear = saturation_matrix(rng.uniform(*self.saturation)) @ linear
        if chosen[3]:
            linear = hue_matrix(np.deg2rad(rng.uniform(-self.hue_degrees, self.hue_degrees))) @ linear
        before = np.eye(3, 4) if view.color is None else view.color
        before = before + np.array([0, 0, 0, shift])
        view.color = linear @ before


def saturation_matrix(factor: float) -> np.ndarray:
    """Return the (3, 3) matrix that multiplies the distance of an RGB colour from its grey by ``factor``."""
    return factor * np.eye(3) + (1 - factor) * _LUMA


def hue_matrix(angle: float) -> np.ndarray:
    """Return the (3, 3) matrix that rotates the chroma of RGB colours by ``angle`` radians and keeps luma."""
    cos, sin = np.cos(angle), np.sin(angle)
    return _YIQ_TO_RGB @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _RGB_TO_YIQ
