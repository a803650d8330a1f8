"""Format registry: the sources and writers of all formats, and the detection of a path's format."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.classes.read import listed
from gluon_yolo.data.coco.json_file import read_content
from gluon_yolo.data.coco.source import COCOSource
from gluon_yolo.data.coco.writer import COCOWriter
from gluon_yolo.data.images.files import (
    files_ending,
    is_image,
    is_unread_image,
    left_out,
    visible_files,
)
from gluon_yolo.data.keras.lines import LISTS
from gluon_yolo.data.keras.source import KerasSource
from gluon_yolo.data.keras.writer import KerasWriter
from gluon_yolo.data.recordio.source import RecordSource
from gluon_yolo.data.recordio.writer import RecordWriter
from gluon_yolo.data.source import Source
from gluon_yolo.data.voc.source import VOCSource
from gluon_yolo.data.voc.writer import VOCWriter
from gluon_yolo.data.writer import Writer, check_whole
from gluon_yolo.data.yolo.lists import broken_lists, fault
from gluon_yolo.data.yolo.source import YOLOSource
from gluon_yolo.data.yolo.writer import YOLOWriter
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import did_you_mean

SOURCES: dict[str, type[Source]] = {
    "voc": VOCSource,
    "coco": COCOSource,
    "yolo": YOLOSource,
    "record": RecordSource,
    "keras": KerasSource,
}
WRITERS: dict[str, type[Writer]] = {
    "voc": VOCWriter,
    "coco": COCOWriter,
    "yolo": YOLOWriter,
    "record": RecordWriter,
    "keras": KerasWriter,
}

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_LABELME = "These are labelme's files, which are not read: export them as Pascal VOC, COCO or YOLO first"

logger = logging.getLogger("gluon_yolo")


def open_source(path: str | os.PathLike[str], format: str | None = None) -> Source:
    """Return the data set at a path, and log what was found.

    When a path can be read in several formats, none is preferred: the user chooses.

    Args:
        path: a file or folder.
        format: a key of ``SOURCES``; None detects it.

    Raises:
        UserError: there is no such path or format, or the path matches no format or several.
    """
    path = Path(os.path.expanduser(path))
    if not os.path.exists(path):  # False, and no error, for a path that no file can have
        raise UserError(f"{path}: no such file or folder, so no data")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: may not be read; change its permissions")
    if format is not None and format not in SOURCES:
        raise UserError(
            f"no format is called {format!r}; {did_you_mean(format, SOURCES)}there are {', '.join(SOURCES)}"
        )
    if not (path.is_dir() or path.is_file()):
        raise UserError(f"{path}: is neither a folder nor a file that can be read again, such as a pipe")
    check_whole(path)
    found = [format] if format else [name for name in SOURCES if SOURCES[name].recognises(path)]
    if len(found) != 1:
        raise _several(path, found) if found else _unknown(path)
    source = SOURCES[found[0]](path)
    splits = source.splits()
    plural = "s" if len(splits) > 1 else ""
    logger.info("data: %s, split%s %s: %s", source.title, plural, listed(splits), path)
    return source


def _several(path: Path, formats: Sequence[str]) -> SettingError:
    """Return the error about a path that is of several formats."""
    titles = " and ".join(SOURCES[name].title for name in formats)
    ways = " or ".join(f"{{format}} {name}" for name in formats)
    return SettingError(f"{path}: can be read as {titles}; say which with {ways}")


def _unknown(path: Path) -> SettingError:
    """Return the error about a path that is of no format: what was looked for, what is there, what to say."""
    looked = "".join(f"\n  {name:7} {source.accepts}" for name, source in SOURCES.items())
    if path.is_dir():
        entries = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in path.iterdir())
        there = f"the folder holds {listed(entries)}" if entries else "the folder is empty"
    else:
        there = f"the file has {path.stat().st_size:,} bytes"
    remedy = (
        _remedy(path) or "Name another path, or say the format with {format} NAME to learn what is missing"
    )
    return SettingError(
        f"{path}: cannot tell in which format this data is; {there}. Looked for:{looked}\n{remedy}"
    )


def _remedy(path: Path) -> str:
    """Return the fix for common data in no supported format; empty for all other data."""
    if path.suffix.lower() in _ARCHIVES:
        return "This is an archive: unpack it, and name the folder"
    if path.is_file():
        is_labelme = path.suffix.lower() == ".json" and b'"shapes"' in path.read_bytes()
        is_file_of_pixels = is_image(path) or is_unread_image(path)
        if is_labelme or is_file_of_pixels:
            return _LABELME if is_labelme else "This is a picture: name a folder"
        return _what_is_wrong(path)
    if not path.is_dir():
        return ""  # a pipe, or a device
    below = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    data = [child for child in below if any(source.recognises(child) for source in SOURCES.values())]
    if data:
        return f"There is data one folder below; name one of: {listed([str(child) for child in data])}"
    jsons = files_ending(path, ".json")
    if jsons and b'"shapes"' in jsons[0].read_bytes():
        return _LABELME
    broken = broken_lists(path)
    if broken:
        return broken[0]
    files = [name for _, names in visible_files(path) for name in names]
    if files and all(map(is_image, files)):
        return "There are pictures and no labels: draw boxes with a tool that writes one of these formats"
    return left_out(path) if any(map(is_unread_image, files)) else ""


def _what_is_wrong(path: Path) -> str:
    """Return why a file with the name of a data file is invalid; empty when its name is no such name."""
    if path.suffix.lower() in LISTS:
        return fault(path)
    try:
        if path.suffix.lower() == ".json":
            read_content(str(path))
    except UserError as error:
        return str(error)
    return ""
