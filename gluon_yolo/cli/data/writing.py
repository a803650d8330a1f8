"""Write a data set from a command: checks, warnings and hints that several commands share."""

from __future__ import annotations

import argparse
import logging
import shlex
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gluon_yolo.boxes import area
from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.flags.data import request_of
from gluon_yolo.data import hints
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.registry import SOURCES
from gluon_yolo.data.source import Source
from gluon_yolo.data.split.lists import is_divided
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

ADVICE = "make room, or name another folder"
_SAME_AREA = 0.01  # share of a box's area by which a tool's rounding can change it

logger = logging.getLogger("gluon_yolo")


def what_next(format: str, place: Path, source: Source, args: argparse.Namespace) -> str:
    """Return a hint about the next command for data that was just written.

    Args:
        format: the format that it was written in.
        place: the path for ``--data``.
        source: the data set that it was made from.
        args: the arguments that name the source.
    """
    written = SOURCES[format](place)
    try:
        parts = written.parts()
    except UserError:  # no split's name says that it is for training
        parts = {}
    if {"train", "val"} <= parts.keys():
        return typed(f"train on it: gluon-yolo train --data {shlex.quote(str(place))}")
    if format != "record":
        force = " --force" if is_divided(written) else ""
        return typed(f"to train, divide it: gluon-yolo data split {shlex.quote(str(place))}{force}")
    if source.format == "record":
        return typed(f"to train, {hints.division(source, request_of(args))}")
    return typed(f"to train, divide it: {hints.split_command(source, request_of(args))}, then pack it anew")


def say_what_is_lost(
    source: Source, place: Path, opened: Iterable[Dataset], written: Iterable[Dataset]
) -> None:
    """Log what a written data set lacks of its original.

    Args:
        source: the original data set.
        place: the written one.
        opened: the original's parts, whose reports list what reading left out.
        written: the images that were written.
    """
    reports = [dataset.report for dataset in opened]
    images = [(dataset, index) for dataset in written for index in range(len(dataset))]
    lost = {
        ("broken box", "dropped"): sum(report.broken_boxes for report in reports),
        ("crowd box", "left out"): sum(len(dataset.crowds(index)) for dataset, index in images),
        ("picture", "left out that cannot be used"): sum(report.skipped for report in reports),
        ("area", "of outlines (the boxes' areas count for small, medium and large)"): sum(
            _areas_of_outlines(dataset, index) for dataset, index in images
        ),
    }
    parts = [f"{counted(count, noun, form=',')} {why}" for (noun, why), count in lost.items() if count]
    if source.format == "wider":
        parts.append("the faces' blur, expression, illumination, occlusion and pose")
    if parts:
        logger.warning("not written: %s", ", ".join(parts))
    if source.settings():
        logger.warning("%s: its settings for training are not in %s", source.path, place)


def _areas_of_outlines(dataset: Dataset, index: int) -> int:
    """Return how many objects of an image have an area that differs from their box's."""
    of_boxes = area(dataset.annotations(index).boxes.astype(np.float64))
    return int((np.abs(dataset.areas(index) - of_boxes) > _SAME_AREA * of_boxes).sum())


def refuse_inside(out: str, source: Path) -> None:
    """Raise a UserError when the output folder is inside the data that is read.

    Each image would then occur twice in it.
    """
    inner, outer = Path(out).resolve(), source.resolve()
    if outer.is_dir() and outer in inner.parents:
        raise UserError(f"{out}: lies in the data itself, {source}; name a folder outside of it")
