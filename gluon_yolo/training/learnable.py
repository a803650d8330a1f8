"""Learnable: checks before the first epoch that the training images have objects to learn from."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.sampler import image_order
from gluon_yolo.data.transforms import Mosaic, augmentation
from gluon_yolo.data.transforms.view import MIN_SIDE
from gluon_yolo.errors import NothingToLearn, SettingText
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.size_advice import one_size

MANY = 0.5  # share of lost objects above which a warning is logged
KEPT = 0.9  # share of objects that an advised size keeps
_SHOWN = 8  # class names in a line
_LONGEST = 2048  # longest side that is advised, in pixels

log = logging.getLogger("gluon_yolo")


class Learnable:
    """The objects of the training images, and which of them are lost at the input sizes.

    A box is lost if a drawn side is shorter than ``MIN_SIDE`` (``data/transforms/view.py``). Augmentations
    that enlarge may show it sometimes; validation and inference do not.

    Args:
        dataset: the training images.
        config: sizes, augmentation, and images per epoch.
        stride: the sides of an input are multiples of it.
    """

    def __init__(self, dataset: Dataset, config: TrainConfig, stride: int) -> None:
        self._dataset, self._config, self._stride = dataset, config, stride
        indices = list(_images(dataset, config))
        truths = [dataset.annotations(index) for index in indices]
        counts = [len(truth) for truth in truths]
        self._images = len(indices)
        self._class_ids = np.concatenate([np.zeros(0, int), *(truth.class_ids for truth in truths)])
        boxes = np.concatenate([np.zeros((0, 4)), *(truth.boxes for truth in truths)])
        self._sizes_wh = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
        images_wh = [dataset.size_hw(index)[::-1] for index in indices]
        self._images_wh = np.repeat(np.reshape(images_wh, (-1, 2)).astype(np.float64), counts, axis=0)
        self._hard = all(truth.difficult is not None and truth.difficult.all() for truth in truths)

    def refuse(self) -> None:
        """Check that there is an object to learn from.

        Raises:
            NothingToLearn: the training images have no object, or all objects are smaller than a pixel at
                every input size.
        """
        report, count = self._dataset.report, len(self._class_ids)
        if not count:
            where = "any training picture"
            if self._images < len(self._dataset):
                where = f"the {self._images:,} training pictures that {{num_samples}} takes"
            why = f"; the first finding: {report.issues[0]}" if report.issues else ""
            raise NothingToLearn(f"{report.title}: no object in {where}, so nothing to learn from{why}")
        shorter = max(float(self._shorter(size_hw).max()) for size_hw in self._config.sizes_hw)
        if shorter < MIN_SIDE:
            each = "its object is" if count == 1 else f"each of its {count:,} objects is"
            raise NothingToLearn(
                f"{report.title}: {each} narrower or lower than a pixel at {self._sizes()} ({shorter:.2g} "
                f"pixels at most), so nothing to learn from; {self._remedy()}"
            )

    def warn(self) -> None:
        """Log a warning for many lost objects, and for classes without objects."""
        title, count = self._dataset.report.title, len(self._class_ids)
        lost = np.array([self._shorter(size_hw) < MIN_SIDE for size_hw in self._config.sizes_hw])
        share = float(lost.mean()) if count else 0.0
        if share > MANY:
            text = "%s: %.0f %% of the %s objects are narrower or lower than a pixel at %s, and so lost; %s"
            sizes, remedy = SettingText(self._sizes()), SettingText(self._remedy())
            log.warning(text, title, 100 * share, f"{count:,}", sizes, remedy)
        names = self._dataset.class_names
        absent = sorted(set(range(len(names))) - set(self._class_ids.tolist()))
        if absent:
            log.warning(
                "%s: no object of %s in any training picture: what is not seen is not learned",
                title, _classes([names[index] for index in absent]),
            )  # fmt: skip
        seen = ~lost.all(axis=0)
        unseen = sorted(set(self._class_ids.tolist()) - set(self._class_ids[seen].tolist()))
        if unseen:
            log.warning(
                "%s: every object of %s is narrower or lower than a pixel at %s",
                title, _classes([names[index] for index in unseen]), SettingText(self._sizes()),
            )  # fmt: skip
        if self._hard and count:
            log.info("%s: all objects are marked difficult; they are trained on as any others", title)

    def _shorter(self, size_hw: tuple[int, int]) -> np.ndarray:
        """Return the shorter side (N,) of each box, in pixels of the input."""
        scale = np.array(size_hw[::-1]) / self._images_wh
        if self._config.fit == "letterbox":
            scale = scale.min(axis=1, keepdims=True)
        return (self._sizes_wh * scale).min(axis=1)

    def _sizes(self) -> str:
        """Return the input sizes for a message, with the setting's name in braces."""
        sizes = [f"{height}x{width}" for height, width in self._config.sizes_hw]
        if not self._config.random_shape:
            return f"{{data_shape}} {sizes[0]}"
        return (
            f"the random shapes {sizes[0]} to {sizes[-1]}"
            if len(sizes) > 1
            else f"{{random_shapes}} {sizes[0]}"
        )

    def _remedy(self) -> str:
        """Return the advised input size, which keeps nine of ten objects."""
        height, width = self._config.data_shape
        factor = MIN_SIDE / float(np.quantile(self._shorter((height, width)), 1 - KEPT))
        sides = [math.ceil(factor * side / self._stride) * self._stride for side in (height, width)]
        if max(sides) > _LONGEST:
            return "no usual input size shows them: cut the pictures into tiles around the objects"
        return f"{one_size(sides, self._config.random_shape)} would keep nine of ten"


def _images(dataset: Dataset, config: TrainConfig) -> Iterable[int]:
    """Return the indices of the images that are trained on; ``num_samples`` may leave some out."""
    everything = range(len(dataset))
    mixed = config.mixup or isinstance(augmentation(config.augment), Mosaic)  # draws from all images
    batch = max(1, config.batch_size)  # one that is yet to be found counts as 1
    per_epoch = config.batches(max(1, len(dataset) // batch)) * batch
    if config.num_samples <= 0 or mixed or per_epoch >= len(dataset):
        return everything
    seen: set[int] = set()
    for epoch in range(config.start_epoch, config.epochs):
        seen.update(image_order(config.seed, epoch, len(dataset))[:per_epoch].tolist())
        if len(seen) == len(dataset):
            break
    return sorted(seen)


def _classes(names: Sequence[str]) -> str:
    """Return class names for a message: the first few, and the number of the others."""
    word = "class" if len(names) == 1 else "the classes"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{word} {', '.join(names[:_SHOWN])}{more}"
