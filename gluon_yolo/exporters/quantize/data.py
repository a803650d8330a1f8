"""The images of a data set that quantizing calibrates on, and the images that it scores on."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.files import images_below
from gluon_yolo.data.opening import classes_of, log_reports, open_datasets, source_of
from gluon_yolo.data.registry import SOURCES
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.subset import Subset, open_unlabelled
from gluon_yolo.errors import SettingError, SettingText, UserError
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.progress.bar import counting
from gluon_yolo.system import memory
from gluon_yolo.text import counted

log = logging.getLogger("gluon_yolo")

FEW_IMAGES = 20
FEW_OBJECTS = 100  # with so few, one object is a point of mAP, which is the default of ``max_drop``


@dataclasses.dataclass(frozen=True)
class Amount:
    """The number of images to draw.

    Args:
        num: images to calibrate on.
        eval_num: largest number of images to score on.
        seed: of the random choice.
    """

    num: int = 200
    eval_num: int = 500
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Images:
    """The images to calibrate on and the images to score on; no image is in both.

    Args:
        calibration: to calibrate on.
        scoring: to score on.
        labelled: whether they have annotations.
        coco: whether the data is COCO's.
        note: how the images were chosen, for the user.
        spellings: other names of the model's classes.
    """

    calibration: Dataset
    scoring: Dataset
    labelled: bool
    coco: bool
    note: str
    spellings: Spellings


def open_images(request: DataRequest, class_names: Sequence[str], amount: Amount) -> Images:
    """Open the data of a request and draw the images.

    Args:
        request: names the data by its path.
        class_names: of the model, for images without labels.
        amount: the number of images.

    Raises:
        UserError: the data does not exist or is broken, or has too few images.
    """
    if _without_labels(request):
        folder = os.path.expanduser(str(request.data))
        images = open_unlabelled(folder, class_names, request.skip_bad)
        return _halves(images, amount, labelled=False, spellings=classes_of(request).spellings)
    train, val = _open(request)
    spellings = classes_of(request).spellings
    if val is None:
        return _halves(train, amount, labelled=True, spellings=spellings)
    return _of_two(train, val, amount, str(request.data), spellings)


def images_of(data: Dataset | tuple[Dataset, Dataset], amount: Amount) -> Images:
    """Draw the images of open data sets.

    Args:
        data: one data set, which is divided; or two, to calibrate on and to score on.
        amount: the number of images.

    Raises:
        UserError: there are too few images.
    """
    if isinstance(data, Dataset):
        labelled = any(len(data.annotations(index)) for index in range(len(data)))
        return _halves(data, amount, labelled, Spellings())
    train, val = data
    return _of_two(train, val, amount, train.report.title, Spellings())


def warn_of_few(scoring: Dataset) -> None:
    """Warn where the images have too few objects for a reliable mAP.

    Args:
        scoring: the images with their annotations.
    """
    images, objects = len(scoring), sum(len(scoring.annotations(index)) for index in range(len(scoring)))
    wanted = [f"{FEW_IMAGES} pictures"] if images < FEW_IMAGES else []
    wanted += [f"{FEW_OBJECTS} objects"] if objects < FEW_OBJECTS else []
    if objects and wanted:
        message = (
            "only %s with %s %s scored: the mAP means little (one object is about %.1f points of it); give "
            "%s at least"
        )
        there = (counted(images, "picture"), counted(objects, "object"), "is" if images == 1 else "are")
        log.warning(message, *there, 100 / objects, " and ".join(wanted))


def _without_labels(request: DataRequest) -> bool:
    """Return whether the path is a folder of images in no format that has labels."""
    path = Path(os.path.expanduser(str(request.data)))
    if request.format or not path.is_dir() or any(kind.recognises(path) for kind in SOURCES.values()):
        return False
    return bool(images_below(path))


def _open(request: DataRequest) -> tuple[Dataset, Dataset | None]:
    """Return the training and the validation data; None for the latter where the data is not divided."""
    try:
        source = source_of(request)
        both = bool(request.val_split) or "val" in source.parts()
        train, val, _ = open_datasets(request, need_val=both, source=source)
    except SettingError as error:  # here ``format`` is the format of int8's files
        raise SettingError(error.message.replace("{format}", "{data_format}")) from error
    log_reports(train, val)
    assert train is not None
    return train, val


def _of_two(train: Dataset, val: Dataset, amount: Amount, title: str, spellings: Spellings) -> Images:
    """Draw the images to calibrate on from one split, and those to score on from another; none is in both."""
    scored = {val.name(index) for index in range(len(val))}
    free = [index for index in range(len(train)) if train.name(index) not in scored]
    if not (free and len(val)):
        raise SettingError(
            f"{title}: no picture is left to calibrate on that is not scored on; name other splits with "
            "{train_split} and {val_split}"
        )
    if len(free) < amount.num:
        there = f"is {counted(1, 'picture')}" if len(free) == 1 else f"are {len(free)} pictures"
        log.warning(SettingText(f"{{num}} {amount.num}: there {there} to calibrate on"))
    calibration = Subset(train, [free[place] for place in drawn(len(free), amount.num, amount.seed)])
    whole = len(val) <= amount.eval_num
    scoring = val if whole else Subset(val, drawn(len(val), amount.eval_num, amount.seed))
    note = f"calibration: {_drawn(calibration, len(train))} of {train.report.title}; "
    note += f"score: {_drawn(scoring, len(val))} of {val.report.title}"
    return Images(calibration, scoring, True, val.is_coco, note, spellings)


def _halves(dataset: Dataset, amount: Amount, labelled: bool, spellings: Spellings) -> Images:
    """Divide a data set that has one split only."""
    count, title = len(dataset), dataset.report.title
    if count < 2:
        there = "no pictures" if not count else "one picture"
        raise UserError(f"{title}: {there}; at least two are needed, one to calibrate on and one to score on")
    calibrated, scored = divided(count, amount.num, amount.seed)
    if len(calibrated) < amount.num:
        log.warning(SettingText(f"{{num}} {amount.num}: {len(calibrated)} of the {count} pictures calibrate"))
    scored = [scored[place] for place in drawn(len(scored), amount.eval_num, amount.seed)]
    note = f"{title} has no second part: {len(calibrated)} of its {count} pictures calibrate, {len(scored)} "
    parts = (Subset(dataset, calibrated), Subset(dataset, scored))
    return Images(*parts, labelled, dataset.is_coco and labelled, f"{note}others score", spellings)


def _drawn(part: Dataset, count: int) -> str:
    return counted(count, "picture") if len(part) == count else f"{len(part)} of {count} pictures"


def drawn(count: int, most: int, seed: int = 0) -> list[int]:
    """Return the indices of ``most`` of ``count`` images or of all, chosen at random, in ascending order.

    The same arguments give the same images, and a smaller ``most`` gives a subset.
    """
    return sorted(np.random.default_rng(seed).permutation(count)[:most].tolist())


def divided(count: int, most: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Split ``count`` images at random: for calibration, and for measuring accuracy.

    Args:
        count: at least 2.
        most: number for calibration; at most half of all.
        seed: of the random choice.
    """
    calibrated = drawn(count, min(most, count // 2), seed)
    return calibrated, sorted(set(range(count)) - set(calibrated))


def read(dataset: Dataset, indices: Sequence[int], size_hw: tuple[int, int], fit: Preprocess) -> np.ndarray:
    """Read images and preprocess them as in evaluation.

    Args:
        dataset: of the images.
        indices: of the images in the data set.
        size_hw: height and width of the input in pixels.
        fit: how images are resized to the input.

    Returns:
        (B, h, w, 3) uint8 RGB.

    Raises:
        UserError: there is not enough memory for all of them.
        BadFile: an image cannot be read.
    """
    an_image, there = 3 * math.prod(size_hw), memory.look()
    if there is not None and len(indices) * an_image > there.free:
        raise SettingError(
            f"{{num}} {len(indices)}: pictures of {size_hw[0]}x{size_hw[1]} that would take "
            f"{len(indices) * an_image / memory.GB:.1f} GB of memory, and there is {there}; give {{num}} "
            f"{max(1, there.free // (2 * an_image))}"
        )
    images = np.empty((len(indices), *size_hw, 3), dtype=np.uint8)
    for place, index in enumerate(counting(indices, len(indices), "read pictures", "picture")):
        images[place] = fit(dataset.image(index), size_hw)[0]
    return images
