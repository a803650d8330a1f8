"""Transforms: what changes a picture and its boxes together, before the network sees them."""

from __future__ import annotations

from gluon_yolo.data.transforms.base import Compose, Transform
from gluon_yolo.data.transforms.color import ColorDistort
from gluon_yolo.data.transforms.crop import RandomCrop
from gluon_yolo.data.transforms.geometry import (
    LetterBox,
    RandomAffine,
    RandomExpand,
    RandomFlip,
    Resize,
    ResizeRandomInterp,
)
from gluon_yolo.data.transforms.presets import PRESETS, light_train, preset, yolo3_train
from gluon_yolo.data.transforms.view import View, auto_interpolation, resize

__all__ = [
    "PRESETS",
    "ColorDistort",
    "Compose",
    "LetterBox",
    "RandomAffine",
    "RandomCrop",
    "RandomExpand",
    "RandomFlip",
    "Resize",
    "ResizeRandomInterp",
    "Transform",
    "View",
    "auto_interpolation",
    "light_train",
    "preset",
    "resize",
    "yolo3_train",
]
