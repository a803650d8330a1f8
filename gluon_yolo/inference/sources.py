"""Sources: what a user named -> pictures, videos, a webcam; and names for what comes of them."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gluon_yolo.data.picture_files import EXTENSIONS, is_picture, left_out

WRITTEN = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff")
"""The endings of pictures that results keep."""
VIDEO_EXTENSIONS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclasses.dataclass(frozen=True)
class Source:
    """One thing to look at.

    Args:
        name: as messages and results call it: the path, or ``camera N``.
        path: the file; None for a webcam.
        camera: the webcam's index; None for a file.
    """

    name: str
    path: Path | None = None
    camera: int | None = None

    @property
    def moving(self) -> bool:
        """Whether it is a video or a webcam rather than a picture."""
        return self.path is None or _is_video(self.path)


def find_sources(words: Iterable[str]) -> tuple[list[Source], list[str]]:
    """Turn words into sources, in order, each file once.

    Args:
        words: each a picture, a video, a folder of them (not the folders in it), a pattern such as
            ``day*/*.jpg`` (``**`` goes down, the ending counts in any letter case), or the index of a
            webcam.

    Returns:
        The sources, and a sentence for each word that named none.
    """
    sources: dict[object, Source] = {}
    problems = []
    for word in words:
        if word.isdecimal() and not Path(word).exists():
            sources.setdefault(int(word), Source(f"camera {int(word)}", camera=int(word)))
            continue
        paths, problem = _files(word)
        if problem:
            problems.append(problem)
        for path in paths:
            sources.setdefault(path.resolve(), Source(str(path), path))
    return list(sources.values()), problems


def left_out_of(words: Iterable[str]) -> list[str]:
    """Return a sentence for each word that is a folder with pictures that are not read for their names."""
    sentences = (left_out(word, below=False) for word in words if Path(word).is_dir())
    return [sentence for sentence in sentences if sentence]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_EXTENSIONS


def _files(word: str) -> tuple[list[Path], str]:
    """Return the files that a word means, or none and the reason."""
    path = Path(word)
    if path.is_dir():
        known = [file for file in sorted(path.iterdir()) if is_picture(file) or _is_video(file)]
        return known, "" if known else f"{word}: no pictures or videos in this folder"
    if path.exists():
        return [path], ""
    if not glob.has_magic(word):
        return [], f"{word}: no such file, folder or webcam index"
    names = sorted(glob.glob(_in_any_case(word), recursive=True))
    found = [file for file in map(Path, names) if file.is_file()]
    return found, "" if found else f"{word}: no file fits this pattern"


def _in_any_case(pattern: str) -> str:
    """Return a pattern that takes the ending of pictures or videos in any letter case."""
    stem, ending = os.path.splitext(pattern)
    if ending.lower() not in EXTENSIONS + VIDEO_EXTENSIONS:
        return pattern
    return stem + "".join(f"[{letter.lower()}{letter.upper()}]" for letter in ending)


class ResultNames:
    """Names result files so that none is a source itself, and no two are the same.

    The same sources in the same order get the same names again.

    Args:
        folder: where results go.
        sources: all sources of this run.
    """

    def __init__(self, folder: Path, sources: Sequence[Source]) -> None:
        self._folder = folder
        self._taken = {_key(source.path) for source in sources if source.path is not None}

    def result_of(self, source: Source) -> Path:
        """Return a path for a source's result: an ``.mp4`` for a video, else a picture of the same kind.

        A picture whose kind is not written for others to see, such as a PGM, becomes a JPEG.
        """
        if source.path is None:
            stem, suffix = f"camera{source.camera}", ".mp4"
        elif source.moving:
            stem, suffix = source.path.stem, ".mp4"
        else:
            stem, suffix = source.path.stem, source.path.suffix
            if suffix.lower() not in WRITTEN:
                suffix = ".jpg"
        path, number = self._folder / f"{stem}{suffix}", 1
        while _key(path) in self._taken:
            number += 1
            path = self._folder / f"{stem}_{number}{suffix}"
        self._taken.add(_key(path))
        return path

    def reserve(self, path: Path) -> bool:
        """Keep a path for another use; False when it is a source."""
        if _key(path) in self._taken:
            return False
        self._taken.add(_key(path))
        return True


def _key(path: Path) -> str:
    """Return what two names of one file have in common, also where case does not count."""
    return str(path.resolve()).casefold()
