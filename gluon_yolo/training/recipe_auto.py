"""The recipe ``auto``: settings of a training from its images and objects, with a reason for each.

It starts from ``small-data``, whose values were measured on sets of a few hundred images
(``docs/training.md``), and departs from it where the data is of another kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingText
from gluon_yolo.text import counted, size_word
from gluon_yolo.training.config import Args
from gluon_yolo.training.recipes import RECIPES

EPOCHS, MOST_EPOCHS = 30, 100
LEAST_SEEN = 4800  # images of the whole training: 30 epochs of 160
MANY = 5000  # images from which the published augmentation and rate are used
SIDES = (320, 416, 512, 608)
LEAST_SIDE, STRIDE = 224, 32
LEAST_OBJECT = 12.0  # pixels at the input: the side of the small objects, the tenth part of all
SMALL_PART = 10  # percent
LONG, ALIKE = 1.6, 1.1  # proportions that make the input a rectangle, and by how much they may differ


class Chosen(NamedTuple):
    """The settings that the recipe chose.

    Args:
        settings: in plain form.
        reasons: of some of them, by name.
        data: the data in a few words.
    """

    settings: Args
    reasons: Mapping[str, str]
    data: str

    def lines(self, given: Mapping[str, Any]) -> list[SettingText]:
        """Return lines for the log: what was chosen and why, without the settings that are given.

        Args:
            given: the settings that count more, by name.
        """
        kept = {name: value for name, value in self.settings.items() if name not in given}
        head = f"{{recipe}} auto, for {self.data}; flags that are given count more:"
        why = [f"  {{{name}}} {kept[name]}: {self.reasons[name]}" for name in self.reasons if name in kept]
        rest = [
            f"{{{name}}}{'' if value is True else f' {value}'}"
            for name, value in kept.items()
            if name not in self.reasons
        ]
        always = [f"  {' '.join(rest)}: as measured for small sets"] if rest else []
        return [SettingText(line) for line in (head, *why, *always)]


def choose(train_data: Dataset, devices: int = 1, own_size: bool = False) -> Chosen:
    """Return the settings for a data set.

    Args:
        train_data: the training images.
        devices: that share a batch, over all processes.
        own_size: whether the network's file has an input size, which is kept.
    """
    images = len(train_data)
    sizes = np.array([train_data.size_hw(index) for index in range(images)], dtype=np.float64).reshape(-1, 2)
    sides = _sides(train_data, sizes)
    classes = len(train_data.class_names)
    settings = dict(RECIPES["small-data"].settings)
    reasons = {}
    settings["epochs"], reasons["epochs"] = _epochs(images)
    if own_size:
        del settings["data_shape"]
    else:
        settings["data_shape"], reasons["data_shape"] = _shape(sizes, sides)
    many = images >= MANY
    batch = 16 if many else settings["batch_size"]
    settings["batch_size"] = -(-batch // devices) * devices
    if many:
        settings.update(augment="yolo3", lr=0.001, assigner="auto")
        reasons["batch_size"] = f"{images:,} pictures give enough steps"
        reasons["augment"] = "strong, as published: the pictures are thousands"
        reasons["lr"] = "as published, since there are many steps"
    else:
        reasons["batch_size"] = "many small steps, as the pictures are few"
        reasons["augment"] = (
            "gentle, as the pictures are few. Of a microscope or from above, where no side is up: {augment} "
            "overhead"
        )
    reasons["anchors"] = "found on these boxes where that gains enough"
    if not many:
        reasons["assigner"] = "each object teaches several anchors, where the network's heads are YOLOv3's"
    data = (
        f"{counted(images, 'picture', form=',')} with {counted(len(sides), 'object', form=',')} of "
        f"{counted(classes, 'class')}"
    )
    return Chosen(settings, reasons, data)


def _epochs(images: int) -> tuple[int, str]:
    """Return the number of epochs, and why."""
    epochs = min(MOST_EPOCHS, max(EPOCHS, math.ceil(LEAST_SEEN / max(1, images))))
    if epochs == EPOCHS:
        return epochs, f"enough for {counted(images, 'picture', form=',')}"
    if epochs == MOST_EPOCHS:
        return epochs, "the most that it takes, for so few pictures"
    return epochs, f"so that about {LEAST_SEEN:,} pictures are seen"


def _sides(train_data: Dataset, sizes: np.ndarray) -> np.ndarray:
    """Return the side of each object, the root of its area, as a part of the image's."""
    found = [np.empty(0)]
    for index, (height, width) in enumerate(sizes):
        boxes = np.asarray(train_data.annotations(index).boxes, dtype=np.float64).reshape(-1, 4)
        areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
        found.append(np.sqrt(areas / (height * width)))
    return np.concatenate(found)


def _shape(sizes: np.ndarray, sides: np.ndarray) -> tuple[str, str]:
    """Return the input size, and why: as small as the small objects allow."""
    small = float(np.percentile(sides, SMALL_PART)) if len(sides) else 1.0
    side = next((each for each in SIDES if small * each >= LEAST_OBJECT), SIDES[-1])
    enough = small * side >= LEAST_OBJECT
    longest = float(np.median(sizes.max(axis=1))) if len(sizes) else float(side)
    limit = max(LEAST_SIDE, math.ceil(2 * longest / STRIDE) * STRIDE)
    if limit < side:
        side, why = limit, f"twice the pictures' own {longest:.0f} pixels"
    elif enough:
        why = f"small objects have {small * side:.0f} pixels there"
    else:
        why = (
            f"the largest that it takes; small objects have {small * side:.0f} pixels there. Where they are "
            "missed, a larger {data_shape}, or `gluon-yolo data tile`"
        )
    size_hw, proportions = _proportions(sizes, side)
    return size_word(size_hw), f"{why}{proportions}"


def _proportions(sizes: np.ndarray, side: int) -> tuple[Sequence[int], str]:
    """Return a height and width of about the area of a square, in the images' proportions if these agree."""
    if not len(sizes):
        return (side, side), ""
    ratios = sizes[:, 1] / sizes[:, 0]
    low, ratio, high = (float(each) for each in np.percentile(ratios, (10, 50, 90)))
    if high / low > ALIKE or max(ratio, 1 / ratio) < LONG:
        return (side, side), ""
    height, width = (
        max(STRIDE, round(side * factor / STRIDE) * STRIDE) for factor in (ratio**-0.5, ratio**0.5)
    )
    return (height, width), f"; a rectangle, as the pictures are {ratio:.2g} times as wide as high"
