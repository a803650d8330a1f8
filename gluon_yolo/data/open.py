"""Open data: what a user says of a data set -> its parts, with the classes that are asked for."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Union

from gluon_yolo.data.classes.read import lookalikes, read_class_names
from gluon_yolo.data.classes.select import Classes, open_parts
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.coco.dataset import gluoncv_coco_root
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.hints import DataHints
from gluon_yolo.data.quality.leakage import shared
from gluon_yolo.data.registry import SOURCES, open_source
from gluon_yolo.data.source import Source
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.voc.dataset import gluoncv_voc_root
from gluon_yolo.errors import SettingError, UserError

logger = logging.getLogger("gluon_yolo")

Opened = tuple["Dataset | None", "Dataset | None", "tuple[str, ...]"]
Path_ = Union[str, "os.PathLike[str]"]

PUBLISHED = {
    "voc": (
        gluoncv_voc_root,
        "VOC2007 and VOC2012",
        {"train": "2007_trainval,2012_trainval", "val": "2007_test"},
    ),
    "coco": (gluoncv_coco_root, "annotations/ and val2017/", {"train": "train2017", "val": "val2017"}),
}
"""The published data sets: GluonCV's place, what should be there, and the parts as published."""


@dataclasses.dataclass(frozen=True)
class DataSettings:
    r"""Which data set, which parts of it, and which classes.

    Args:
        data: a folder or file in any format that can be read.
        format: what it is; None finds that from what is there.
        dataset: a published data set, ``voc`` or ``coco``, in the place of ``data``.
        data_root: where that lies; None is GluonCV's place.
        train_split: the part to train on, where names do not tell; several with commas between.
        val_split: the part to validate on, likewise.
        classes: a file of class names, one a line, or the names; None takes the data's own.
        only: the classes to use, as names, or as one text with commas between (``\,`` within a name).
        class_map: a file of lines ``NAME = OTHER NAME``: what the data calls otherwise.
        skip_bad: leave out images and labels that cannot be used, and go on with what is doubtful.
    """

    data: Path_ | None = None
    format: str | None = None
    dataset: str | None = None
    data_root: Path_ | None = None
    train_split: str | None = None
    val_split: str | None = None
    classes: Path_ | Sequence[str] | None = None
    only: str | Sequence[str] | None = None
    class_map: Path_ | None = None
    skip_bad: bool = False

    @property
    def hints(self) -> DataHints:
        """What writes commands on this data."""
        format = self.format or (self.dataset or "voc" if self.data_root else None)
        return DataHints(format, self.classes if isinstance(self.classes, (str, os.PathLike)) else None)

    def wanted_classes(self) -> Classes:
        """Return the classes that are asked for.

        Raises:
            UserError: a file cannot be read, or ``only`` names nothing.
        """
        names = self.classes
        if names is not None:
            is_file = isinstance(names, (str, os.PathLike))
            names = read_class_names(names) if is_file else tuple(names)  # type: ignore[arg-type]
        spellings = Spellings.read(os.fspath(self.class_map)) if self.class_map else Spellings()
        return Classes(names, self._only(), spellings)

    def _only(self) -> tuple[str, ...]:
        if self.only is None:
            return ()
        words: Iterable[str] = self.only
        if isinstance(self.only, str):
            words = (word.replace("\\,", ",").strip() for word in re.split(r"(?<!\\),", self.only))
        names = tuple(word for word in words if word)
        if not names:
            raise SettingError("{only}: names no class; give names with commas between")
        return names

    def source(self) -> Source:
        """Return the data set.

        Raises:
            UserError: none is named, or two, or it is of no format.
        """
        if self.data:
            if self.dataset or self.data_root:
                raise SettingError("name the data once: {data} PATH, or {dataset} with {data_root} DIR")
            return open_source(os.fspath(self.data), self.format)
        if self.format:
            raise SettingError("{format} says what {data} PATH is; with {data_root}, {dataset} does")
        dataset = self.dataset or "voc"
        return SOURCES[dataset](Path(self.data_root) if self.data_root else standard_place(dataset))

    def open(self, need_train: bool = True, need_val: bool = True, source: Source | None = None) -> Opened:
        """Open the parts.

        Args:
            need_train: open the training images.
            need_val: open the validation images.
            source: the data set, where it is known already.

        Returns:
            The training data, the validation data (None where not needed), and the class names of both.

        Raises:
            UserError: when there is no such data, or it is broken.
        """
        source = source or self.source()
        needed = [part for part, need in (("train", need_train), ("val", need_val)) if need]
        named = {"train": self.train_split, "val": self.val_split}
        splits = {part: named[part] or self._split_for(part, source, needed) for part in needed}
        classes = self.wanted_classes()
        opened = open_parts(source, splits, classes, self.skip_bad)
        for dataset in opened.values():
            self.hints.complete_notes(dataset.report)
        class_names = next(iter(opened.values())).class_names
        for group in lookalikes(class_names) if classes.names is None else ():
            message = "%s: the classes %s differ in case or blanks only; they are kept apart"
            logger.warning(message, source.path, " and ".join(map(repr, group)))
        if not self.skip_bad:
            _refuse_wrong_units(opened.values())
            if len(opened) > 1 and not (self.train_split or self.val_split):
                _refuse_shared_images(opened["train"], opened["val"], self.hints.division(source))
        return opened.get("train"), opened.get("val"), class_names

    def _split_for(self, part: str, source: Source, needed: list[str]) -> str:
        """Return the split that the data offers for a part.

        Raises:
            UserError: it offers none.
        """
        if not (self.data or self.data_root):
            return PUBLISHED[self.dataset or "voc"][2][part]
        splits = source.splits()
        if len(splits) == 1 and needed == [part]:
            if part == "val" and split_role(splits[0]).startswith("train"):
                message = "%s: its only split, %s, is taken, which may be what was trained on"
                logger.warning(message, source.path, splits[0])
            return splits[0]  # what is evaluated on data that has no division
        advice = f"name some with {{{part}_split}}"
        if part == "val":
            advice = f"{self.hints.division(source, 'hold some out')}, or {advice}"
        try:
            return source.split_for(part, advice)
        except UserError as error:
            raise SettingError(str(error)) from error


def log_reports(train: Dataset | None, val: Dataset | None) -> None:
    """Log what each part holds and what is wrong with it."""
    for dataset in (train, val):
        if dataset is not None:
            dataset.report.log()
    if train is not None and val is not None and (found := shared(train, val)).number:
        message = "%d of %d validation pictures are training pictures too; the scores will flatter (%s)"
        logger.warning(message, found.number, len(val), found.first())


def standard_place(dataset: str) -> Path:
    """Return GluonCV's place for a data set.

    Raises:
        UserError: when it does not exist.
    """
    root, content, _ = PUBLISHED[dataset]
    place = root()
    if not place.is_dir():
        raise SettingError(
            f"{place}: no such folder; {{dataset}} {dataset} without {{data_root}} reads {content} there. "
            "Put them there, or name your own data with {data} PATH"
        )
    return place


def _refuse_wrong_units(datasets: Iterable[Dataset]) -> None:
    """Raise a UserError where most boxes seem to be in other units than the format has: no training helps."""
    for dataset in datasets:
        for issue in dataset.report.warnings:
            if issue.kind == "wrong-units":
                raise SettingError(f"{issue}. Repair: {issue.advice}. If it is right so: {{skip_bad}}")


def _refuse_shared_images(train: Dataset, val: Dataset, remedy: str) -> None:
    """Raise a UserError where files are in both parts, unless both are one and the same: it is meant so.

    Copies under other names are warned of: images of nothing, as test patterns, are alike by nature.

    Args:
        train: the training images.
        val: the validation images.
        remedy: what else to do than to take the images out.
    """
    found = shared(train, val)
    if found.is_all or not found.same:
        return
    why = ""
    if found.moved:
        why = " (the training part names the folder {0}, the validation part {1}; both were found in {2})"
        why = why.format(*found.moved)
    raise SettingError(
        f"{train.report.title}: {found.number:,} of {len(val):,} validation pictures are training pictures "
        f"too, such as {found.same[0]}{why}; the scores would flatter: take them out of one part, or "
        f"{remedy}. If it is right so: {{skip_bad}}"
    )
