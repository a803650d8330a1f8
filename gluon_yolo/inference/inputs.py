"""Input sources: images, videos, webcams and streams named by the user, and names for their results."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Callable

import numpy as np

from gluon_yolo.data.images.files import EXTENSIONS, is_image, left_out
from gluon_yolo.data.images.read import decode_image, read_image
from gluon_yolo.file_names import free_path
from gluon_yolo.inference import web
from gluon_yolo.inference.urls import SCHEMES, scheme_of, shown, stem_of

WRITTEN = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff")
"""Endings of image files in which a result is written; a result of another image is a JPEG."""
VIDEO_EXTENSIONS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclasses.dataclass(frozen=True)
class Source:
    """One input.

    Args:
        name: in messages and results: the path, ``camera N``, or the URL without its password.
        path: of the file, or of a URL's local copy; None for a webcam, or a URL without a copy.
        camera: index of the webcam; None for a file or a URL.
        url: of a stream, a video or an image; None for a file or a webcam.
        image: bytes of the image at a URL.
        whole: whether the URL is a file, which has an end.
    """

    name: str
    path: Path | None = None
    camera: int | None = None
    url: str | None = None
    image: bytes | None = None
    whole: bool = False

    @property
    def moving(self) -> bool:
        """Whether it is a video, a webcam or a stream, and no image."""
        return self.image is None if self.path is None else _is_video(self.path)

    @property
    def live(self) -> bool:
        """Whether it has no end."""
        return self.path is None and self.image is None and not self.whole

    @property
    def stem(self) -> str:
        """Stem of the result's file name."""
        if self.url is not None:
            return stem_of(self.url)
        return f"camera{self.camera}" if self.path is None else self.path.stem

    def read(self) -> np.ndarray:
        """Return the image, (H, W, 3) uint8 RGB; not for what is :attr:`moving`.

        Raises:
            UserError: it cannot be read.
        """
        if self.image is not None:
            return decode_image(self.image, self.name)
        assert self.path is not None
        return read_image(self.path)


def find_sources(words: Iterable[str]) -> tuple[list[Source], list[str]]:
    """Turn words into sources, in order, each file once.

    Args:
        words: each an image, a video, a folder of them (without subfolders), a pattern such as ``day*/*.jpg``
            (``**`` matches subfolders, the case of the ending is ignored), the index of a webcam, or a URL.

    Returns:
        The sources, and a message for each word that matches nothing.
    """
    sources: dict[object, Source] = {}
    problems = []
    for word in words:
        if word.isdecimal() and not Path(word).exists():
            sources.setdefault(int(word), Source(f"camera {int(word)}", camera=int(word)))
            continue
        scheme = scheme_of(word)
        if scheme in SCHEMES:
            sources.setdefault(word, Source(shown(word), url=word))
            continue
        if scheme is not None:
            problems.append(f"{shown(word)}: no stream that can be opened; known are {', '.join(SCHEMES)}")
            continue
        paths, problem = _files(word)
        if problem:
            problems.append(problem)
        for path in paths:
            sources.setdefault(path.resolve(), Source(str(path), path))
    return list(sources.values()), problems


def left_out_of(words: Iterable[str]) -> list[str]:
    """Return a message for each folder that has images, and files that are ignored because of their names."""
    folders = (word for word in words if Path(word).is_dir() and _files(word)[0])
    sentences = (left_out(word, below=False) for word in folders)
    return [sentence for sentence in sentences if sentence]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_EXTENSIONS


def _files(word: str) -> tuple[list[Path], str]:
    """Return the files that a word matches, or none and the reason."""
    path = Path(word)
    if path.is_dir():
        known = [file for file in sorted(path.iterdir()) if is_image(file) or _is_video(file)]
        more = "" if known else left_out(path, below=False).removeprefix(f"{path}: ")
        return known, "" if known else f"{word}: no pictures or videos in this folder{more and '; '}{more}"
    if path.exists():
        return [path], ""
    if not glob.has_magic(word):
        return [], f"{word}: no such file, folder or webcam index"
    names = sorted(glob.glob(_in_any_case(word), recursive=True))
    found = [file for file in map(Path, names) if file.is_file()]
    return found, "" if found else f"{word}: no file fits this pattern"


def _in_any_case(pattern: str) -> str:
    """Return a pattern that matches the ending of images or videos in upper and lower case."""
    stem, ending = os.path.splitext(pattern)
    if ending.lower() not in EXTENSIONS + VIDEO_EXTENSIONS:
        return pattern
    return stem + "".join(f"[{letter.lower()}{letter.upper()}]" for letter in ending)


def looked_up(source: Source, folder: Path, seconds: float = web.SECONDS) -> Source:
    """Request a URL, to find out what it is; other sources are returned as they are.

    Args:
        source: of any kind.
        folder: for the copy of a video whose server does not support byte ranges.
        seconds: timeout.

    Returns:
        The source with its image's bytes, or with ``whole``; a copied video with the path of the copy.

    Raises:
        UserError: the server does not answer, or answers with an error.
    """
    if source.url is None or scheme_of(source.url) not in ("http", "https"):
        return source
    answer = web.ask(source.url, seconds)
    if answer.image is None and answer.whole and not answer.seekable:
        path = folder / f"{source.stem}.mp4"
        web.download(source.url, path, seconds)
        return dataclasses.replace(source, path=path, whole=True)
    return dataclasses.replace(source, image=answer.image, whole=answer.whole)


class ResultNames:
    """Unique names for result files, none of which is a source.

    The same sources in the same order give the same names.

    Args:
        folder: of the results.
        sources: all sources of this run.
        own_stems: whether the stems are unique too, for other files beside the results.
        is_free: whether a file may be written, with regard to existing files.
    """

    def __init__(
        self,
        folder: Path,
        sources: Sequence[Source],
        own_stems: bool = False,
        is_free: Callable[[Path], bool] = lambda path: True,
    ) -> None:
        self._folder, self._own_stems, self._is_free = folder, own_stems, is_free
        self._taken = {_key(source.path) for source in sources if source.path is not None}
        self._stems: set[str] = set()

    def result_of(self, source: Source) -> Path:
        """Return a path for a source's result: an ``.mp4`` for a video, else an image of the same format.

        An image of a format outside ``WRITTEN``, such as PGM, becomes a JPEG.
        """
        suffix = ".mp4" if source.moving else ".jpg"
        if source.path is not None and source.path.suffix.lower() in WRITTEN:
            suffix = source.path.suffix
        path = self.place(self._folder, source.stem, suffix, self._stems if self._own_stems else set())
        self._stems.add(path.stem.casefold())
        return path

    def place(
        self, folder: Path, stem: str, suffix: str, stems: Collection[str] = (), keep: bool = True
    ) -> Path:
        """Return a path in a folder that is free, no source and not reserved.

        Args:
            folder: of the file.
            stem: of the file; a number is appended where it is taken.
            suffix: ending of the file.
            stems: stems that it must not have, in lower case.
            keep: whether to reserve the path; not needed for a file that is written at once.
        """

        def is_free(path: Path) -> bool:
            kept = _key(path) in self._taken or path.stem.casefold() in stems
            return not kept and self._is_free(path)

        path = free_path(folder, stem, suffix, is_free)
        if keep:
            self._taken.add(_key(path))
        return path

    def reserve(self, path: Path) -> bool:
        """Reserve a path for another use; return False when it is a source."""
        if _key(path) in self._taken:
            return False
        self._taken.add(_key(path))
        return True


def _key(path: Path) -> str:
    """Return the same key for all names of one file, also where the file system ignores case."""
    return str(path.resolve()).casefold()
