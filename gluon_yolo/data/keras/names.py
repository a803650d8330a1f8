"""Class names of keras-yolo3's lists: in files beside them, or in ``model_data/``."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.data.classes.numbered import ADVICE, Names, of_files
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.images.files import files_called
from gluon_yolo.data.text_file import read_text
from gluon_yolo.errors import UserError

_PATTERNS = ("*.names", "*classes.txt")
_VOCS, _COCOS = "voc_classes.txt", "coco_classes.txt"
_PLACES = (".", "model_data", "data")
_CLASS_ID = re.compile(r",(\d{1,9})(?=\s|$)")
_OF_A_YEAR = re.compile(r"\d{4}_")  # keras-yolo3's names of lists that it makes from VOC

logger = logging.getLogger("gluon_yolo")


def find_names(folder: Path, lists: Sequence[Path]) -> Names:
    """Return the class names of lists.

    Programs ship files with the names of COCO and VOC. Beside other files of names these are ignored; where
    there are no others, the lists decide between the two, if they can.

    Args:
        folder: the folder of the lists, or of the splits' folders.
        lists: all lists.
    """
    places = dict.fromkeys([*(folder / place for place in _PLACES), *(path.parent for path in lists)])
    files = [file for pattern in _PATTERNS for place in places for file in files_called(place, pattern)]
    found = of_files(files, may_go_on=True)
    if found is None:
        return Names(None, f"{folder}: no class names: {ADVICE}")
    if found.source is not None:
        return found
    own = [file for file in files if not _is_shipped(file)]
    chosen = of_files(own, may_go_on=True)
    if chosen is None or chosen.source is None:
        own = _meant(files, lists)
        chosen = of_files(own, may_go_on=True) or found
    if isinstance(chosen.source, Path):
        others = ", ".join(str(file) for file in files if file not in own)
        logger.info("class names: those of %s; not of %s, which programs bring along", chosen.source, others)
        return chosen
    return found


def _is_shipped(file: Path) -> bool:
    """Return whether a file has the names of VOC or COCO."""
    names = _names_in(file)
    if set(names) == set(VOC_CLASSES):
        return True
    # darknet has other names for some of them
    ends = (names[:1], names[-1:]) == (COCO_CLASSES[:1], COCO_CLASSES[-1:])
    return ends and len(names) == len(COCO_CLASSES)


def _meant(files: Sequence[Path], lists: Sequence[Path]) -> list[Path]:
    """Return which of keras-yolo3's own two files the lists mean; empty with other files, or if unknown.

    A file with too few names is not meant; lists with a year in their names are VOC's.
    """
    if {file.name for file in files} - {_VOCS, _COCOS}:
        return []
    ids = [int(number) for path in lists for number in _CLASS_ID.findall(read_text(path, "the list"))]
    enough = [file for file in files if len(_names_in(file)) > max(ids, default=0)]
    if len({file.name for file in enough}) > 1 and all(_OF_A_YEAR.match(path.name) for path in lists):
        return [file for file in enough if file.name == _VOCS]
    return enough


def _names_in(file: Path) -> tuple[str, ...]:
    try:
        return read_class_names(file)
    except UserError:
        return ()
