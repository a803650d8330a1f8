"""Presets: training augmentations ready made, by name."""

from __future__ import annotations

from collections.abc import Callable

from gluon_yolo.data.transforms.base import Compose, Transform
from gluon_yolo.data.transforms.color import ColorDistort
from gluon_yolo.data.transforms.crop import RandomCrop
from gluon_yolo.data.transforms.geometry import (
    RandomAffine,
    RandomExpand,
    RandomFlip,
    Resize,
    ResizeRandomInterp,
)
from gluon_yolo.data.transforms.view import AREA, CUBIC, LINEAR


def yolo3_train() -> Compose:
    """Return GluonCV's YOLOv3 training augmentation, with its ranges.

    Strong: hues are drawn from the whole circle (GluonCV multiplies its "18 degrees" by pi, which makes nine
    turns either way), objects shrink to a quarter and grow threefold. Made for thousands of pictures and 200
    epochs.
    """
    return Compose(ColorDistort(), RandomExpand(), RandomCrop(), ResizeRandomInterp(), RandomFlip())


def light_train(vertical_flip: bool = False) -> Compose:
    """Return a gentle augmentation, for a few hundred pictures of one's own or a few dozen epochs.

    Colours stay near the truth, since on own data colour often tells classes apart; objects change in size by
    0.7 to 1.4 and move by up to a tenth of the picture.

    Args:
        vertical_flip: whether pictures have no upper side (microscopes, views from above).
    """
    return Compose(
        ColorDistort(brightness=16, contrast=(0.8, 1.25), saturation=(0.8, 1.25), hue_degrees=9),
        RandomAffine(scale=(0.7, 1.4), translate=0.1),
        RandomFlip(horizontal=0.5, vertical=0.5 if vertical_flip else 0.0),
        ResizeRandomInterp((LINEAR, CUBIC, AREA)),
    )


PRESETS: dict[str, Callable[[], Transform]] = {
    "yolo3": yolo3_train,
    "light": light_train,
    "overhead": lambda: light_train(vertical_flip=True),
    "none": Resize,
}
