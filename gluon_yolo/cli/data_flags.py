"""Data flags: the arguments that name a data set, and the data sets they open; shared by train and eval.

A source knows one kind of data set: which class names it has, and how its ``train`` and ``val`` parts are opened.
A new format is a new source.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.data.classes import read_class_names
from gluon_yolo.data.coco import gluoncv_coco_root, open_coco, open_coco_root
from gluon_yolo.data.coco_json import CocoFile
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.voc import find_class_names, gluoncv_voc_root, open_voc
from gluon_yolo.data.voc_layout import list_names
from gluon_yolo.errors import UserError

PARTS = ("train", "val")


class Source(Protocol):
    """One kind of data set, at one place."""

    def class_names(self, parts: Sequence[str]) -> tuple[str, ...]:
        """Return the names that the parts (of ``PARTS``) use, in the order of their class ids."""

    def open(self, part: str, class_names: Sequence[str], skip_bad: bool) -> Dataset:
        """Open one of ``PARTS``."""


class VOCSource:
    """Pascal VOC layout.

    Args:
        root: the data's folder; GluonCV's place for VOC 2007 and 2012 when None.
        splits: list names for ``train`` and ``val``; what the folder offers when None.
    """

    def __init__(self, root: str | None, splits: dict[str, str | None]) -> None:
        if root is None:
            self.root = _standard_place(gluoncv_voc_root(), "voc", "VOC2007 and VOC2012")
            offered = {"train": "2007_trainval,2012_trainval", "val": "2007_test"}
        else:
            self.root, offered = Path(root), _offered_splits(list_names(root))
        self._splits = {part: splits[part] or offered[part] for part in PARTS}

    def class_names(self, parts: Sequence[str]) -> tuple[str, ...]:
        """Return the names in the annotations, sorted; VOC's own twenty in the order of published weights."""
        names = find_class_names(self.root, ",".join(self._splits[part] for part in parts))
        return VOC_CLASSES if set(names) == set(VOC_CLASSES) else names

    def open(self, part: str, class_names: Sequence[str], skip_bad: bool) -> Dataset:
        """Open the pictures of a part's lists."""
        return open_voc(self.root, self._splits[part], class_names, skip_bad)


class COCOSource:
    """COCO's layout, a folder with ``annotations/instances_<split>.json``.

    Args:
        root: the data's folder; GluonCV's place for COCO when None.
        splits: names for ``train`` and ``val``; those of 2017 when None.
    """

    def __init__(self, root: str | None, splits: dict[str, str | None]) -> None:
        place = Path(root) if root else _standard_place(gluoncv_coco_root(), "coco", "annotations/ and val2017/")
        self._root = place
        self._splits = {part: splits[part] or f"{part}2017" for part in PARTS}

    def class_names(self, parts: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the categories, by ascending id."""

    def open(self, part: str, class_names: Sequence[str], skip_bad: bool) -> Dataset:
        """Open a part's annotation file."""
        return open_coco_root(self._root, self._splits[part], class_names, skip_bad)
