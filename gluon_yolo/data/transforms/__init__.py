"""Transforms: training augmentation and resizing, applied to an image and its boxes together."""

from __future__ import annotations

from gluon_yolo.data.transforms.base import Compose, LazyImage, Transform
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
from gluon_yolo.data.transforms.mosaic import Mosaic
from gluon_yolo.data.transforms.parse import (
    PRESETS,
    TRANSFORMS,
    augmentation,
    keeps_shape,
    light_train,
    yolo3_train,
)
from gluon_yolo.data.transforms.view import View, auto_interpolation, resize

__all__ = [
    "PRESETS",
    "TRANSFORMS",
    "ColorDistort",
    "Compose",
    "LazyImage",
    "LetterBox",
    "Mosaic",
    "RandomAffine",
    "RandomCrop",
    "RandomExpand",
    "RandomFlip",
    "Resize",
    "ResizeRandomInterp",
    "Transform",
    "View",
    "augmentation",
    "auto_interpolation",
    "keeps_shape",
    "light_train",
    "resize",
    "yolo3_train",
]
