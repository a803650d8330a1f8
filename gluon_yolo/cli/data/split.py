"""``data split``: divide a data set into training, validation and test splits."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.flags.data import add_source_arguments, request_of, source_of
from gluon_yolo.data import hints
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality import similar
from gluon_yolo.data.source import Source
from gluon_yolo.data.split.lists import (
    FORMATS,
    Members,
    aside,
    is_divided,
    standing_lists,
    stratify,
    write_lists,
)
from gluon_yolo.errors import UserError
from gluon_yolo.tables import aligned
from gluon_yolo.text import counted

HELP = """\
Divide all pictures of a data set into train and val, and test if asked for, so that each class has its share
in each; pictures without objects too. A picture that is there twice, perhaps compressed or scaled anew, stays
in one part. The same seed gives the same division. No picture is moved; written are

  Pascal VOC  ImageSets/Main/train.txt, val.txt, test.txt
  YOLO        train.txt, val.txt, test.txt, and split.data, which names them
  COCO        annotations/instances_train.json, instances_val.json, instances_test.json
  WIDER FACE  wider_face_split/wider_face_train_bbx_gt.txt, and of val and test

  gluon-yolo data split my_data
  gluon-yolo data split my_data --val 0.15 --test 0.15 --seed 7

A data set that is divided already is left as it is, unless --force is given.
"""


_TOO_LARGE = (
    "%d of %d pictures look alike one by one, as the frames of a video do: too many for one part. Only %s "
    "stay together, so scores may flatter: better validate on other scenes, with --val-split or a list"
)
_ALL_THE_SAME = (
    "hardly two of the %d pictures differ, so copies are in several parts, and a score says nothing of others"
)
# The weaker rules for images that stay together, for when groups are too large, and their arguments of
# `similar.groups`.
_STAYS: dict[str, dict[str, Any]] = {
    "those that look like one and the same": {"chained": False},
    "copies, byte by byte,": {"identical_only": True},
}

logger = logging.getLogger("gluon_yolo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data split``."""
    add_source_arguments(parser)
    parser.add_argument(
        "--val", type=float, default=0.2, metavar="X", help="share for validation (default: %(default)s)"
    )
    parser.add_argument("--test", type=float, default=0.0, metavar="X", help="share for test (default: none)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="another division (default: %(default)s)"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="write the lists there, with whole paths; not for Pascal VOC"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="put what divides the data now aside, as NAME.old; from the second time on as NAME.old2",
    )
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line, where the data has none")
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave pictures that cannot be used out of all lists"
    )


def run(args: argparse.Namespace) -> int:
    """Open all splits, divide their images again, write the new splits, and print a table."""
    shares = _shares(args.val, args.test)
    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: must be 0 or more")
    source, out = source_of(args), Path(args.out) if args.out else None
    _refuse(source, out, args.force)
    datasets = _open(source, args)
    images = _each_once(datasets)
    parts = _divided(images, shares, args.seed, hints.command("dedupe", source.path, request_of(args)))
    try:
        place = write_lists(source, parts, out)
    except OSError as error:
        raise UserError(
            f"{error.filename or source.path}: cannot be written: {error.strerror or error}"
        ) from error
    if source.settings():
        logger.warning("%s: its settings for training are not in %s", source.path, place)
    print(_table(parts, datasets[0].class_names))
    next_step = typed(f"train on them: gluon-yolo train --data {shlex.quote(str(place))}")
    print(f"{counted(len(images), 'picture')} divided; {next_step}")
    return 0


def _refuse(source: Source, out: Path | None, force: bool) -> None:
    """Raise a UserError when new splits cannot be written, before the images are read."""
    if source.format not in FORMATS:
        raise UserError(
            f"{source.path}: pictures in {source.title} stay there: divide the data first, then pack it"
        )
    if source.format == "voc" and out:
        raise UserError(
            "--out: the lists of Pascal VOC have their place, ImageSets/Main in the data's folder"
        )
    standing = standing_lists(source, out)
    if standing and not force:
        names = ", ".join(file.name for file in standing)
        raise UserError(
            f"{standing[0].parent}: is divided already, by {names}; with --force a new division is written, "
            f"and these are kept as {', '.join(aside(file).name for file in standing)}{_instead(standing)}"
        )
    if is_divided(source, out) and not force:
        raise UserError(
            f"{source.path}: is divided already, into {', '.join(source.splits())}; with --force a new "
            "division is written, and counts from then on"
        )


def _instead(standing: Sequence[Path]) -> str:
    """Return which older copies are overwritten by the files that are renamed now."""
    lost = [aside(file).name for file in standing if aside(file).exists()]
    return f", in the place of the last {', '.join(lost)}" if lost else ""


def _shares(val: float, test: float) -> dict[str, float]:
    """Return the share of each part.

    Raises:
        UserError: the shares are invalid, or leave nothing to train on.
    """
    if not (0 < val < 1 and 0 <= test < 1 and val + test < 1):
        raise UserError(
            f"--val {val} --test {test}: expected shares such as 0.2, val above 0, both together below 1"
        )
    shares = {"train": 1 - val - test, "val": val, "test": test}
    return {part: share for part, share in shares.items() if share}


def _open(source: Source, args: argparse.Namespace) -> list[Dataset]:
    """Open all splits, as one data set when the format joins them."""
    splits = source.there()
    for note in source.left_out():
        logger.warning("%s: %s", source.path, note)
    try:
        names = source.class_names(splits)
    except UserError:
        if not args.classes:
            raise
        names = read_class_names(args.classes)
    if source.joins:
        splits = ("all",) if "all" in splits else (",".join(splits),)
    datasets = [source.open(split, names, args.skip_bad) for split in splits]
    for dataset in datasets:
        hints.complete_notes(dataset.report, request_of(args))
        dataset.report.log()
    return datasets


def _each_once(datasets: Sequence[Dataset]) -> Members:
    """Return every image once, as data set and index, sorted by name, so present splits do not matter."""
    first: dict[str, tuple[Dataset, int]] = {}
    for dataset in datasets:
        for index in range(len(dataset)):
            first.setdefault(os.path.realpath(dataset.name(index)), (dataset, index))
    return [first[path] for path in sorted(first, key=lambda path: (os.path.basename(path), path))]


def _divided(images: Members, shares: Mapping[str, float], seed: int, dedupe: str) -> dict[str, Members]:
    """Return the images of each part, in their order.

    Images that look the same stay together, because otherwise scores are too good; also through others, as
    the frames of a slow video do. When the groups are so large that a part misses its share, only images that
    look like the first of their group stay together, then only equal bytes, and when a part is still empty,
    none.

    Args:
        images: all images.
        shares: of each part.
        seed: of the division.
        dedupe: the command that lists images that occur twice.

    Raises:
        UserError: there are too few images for so many parts.
    """
    if len(images) < len(shares):
        raise UserError(f"pictures: {len(images)}, too few to divide into {', '.join(shares)}; add some")
    looks = similar.look_at(images, "comparing pictures")
    chains = similar.groups(looks)
    again = int((chains != np.arange(len(chains))).sum())
    if again:
        message = "%s: %d show what another does, or nearly so, and stay in its part; copies are found by: %s"
        logger.info(message, counted(len(images), "picture", form=","), again, dedupe)
    parts = _stratified(images, shares, seed, chains)
    for stays, ways in _STAYS.items():
        if not again or _is_near(parts, shares, len(images)):
            break
        largest = int(np.bincount(chains).max())
        logger.warning(_TOO_LARGE, largest, len(images), stays)
        parts = _stratified(images, shares, seed, similar.groups(looks, **ways))
    if again and not all(parts.values()):  # for example test patterns: equal images with different boxes
        logger.warning(_ALL_THE_SAME, len(images))
        parts = _stratified(images, shares, seed, np.arange(len(images)))
    empty = [part for part, members in parts.items() if not members]
    if empty:
        raise UserError(
            f"{counted(len(images), 'picture')}: too few, none is left for {empty[0]}; raise --{empty[0]}"
        )
    return parts


def _stratified(
    images: Members, shares: Mapping[str, float], seed: int, together: np.ndarray
) -> dict[str, Members]:
    """Return the images of each part, in their order; images with one number in ``together`` share a part."""
    class_count = len(images[0][0].class_names)
    number = stratify(_counts(images, class_count) > 0, tuple(shares.values()), seed, together)
    return {part: [images[i] for i in np.flatnonzero(number == n)] for n, part in enumerate(shares)}


def _is_near(parts: Mapping[str, Members], shares: Mapping[str, float], total: int) -> bool:
    """Return whether each part has at least half of its share of the images."""
    return all(len(members) >= total * shares[part] / 2 for part, members in parts.items())


def _counts(images: Members, class_count: int) -> np.ndarray:
    """Return the number of boxes of each class in each image: (N, C)."""
    rows = [np.bincount(dataset.annotations(i).class_ids, minlength=class_count) for dataset, i in images]
    return np.array(rows).reshape(-1, class_count)


def _table(parts: Mapping[str, Members], class_names: Sequence[str]) -> str:
    """Return a table: for each class and part, the number of images with it and of its boxes."""
    rows = [["", *(f"{part} {what}" for part in parts for what in ("pictures", "boxes"))]]
    counts = {part: _counts(members, len(class_names)) for part, members in parts.items()}
    for class_id, name in enumerate(class_names):
        columns = [count[:, class_id] for count in counts.values()]
        rows.append(
            [name, *(f"{n:,}" for column in columns for n in (np.count_nonzero(column), column.sum()))]
        )
    empty = [np.count_nonzero(~count.any(axis=1)) for count in counts.values()]
    rows.append(["without objects", *(text for n in empty for text in (f"{n:,}", ""))])
    rows.append(["all", *(f"{n:,}" for count in counts.values() for n in (len(count), count.sum()))])
    return "\n".join(line.rstrip() for line in aligned(rows))
