"""Sources: what a user named -> images, videos, webcams, streams; and names for what comes of them."""

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
"""The endings of pictures that results keep."""
VIDEO_EXTENSIONS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclasses.dataclass(frozen=True)
class Source:
    """One thing to look at.

    Args:
        name: as messages and results call it: the path, ``camera N``, or the URL without its password.
        path: the file, of a URL its copy here; None for a webcam, or a URL without a copy.
        camera: the webcam's index; None for a file or a URL.
        url: of a stream, a video or an image; None for a file or a webcam.
        image: the bytes that a URL gave, where they are an image's.
        whole: whether a URL gives a file, which has an end.
    """

    name: str
    path: Path | None = None
    camera: int | None = None
    url: str | None = None
    image: bytes | None = None
    whole: bool = False

    @property
    def moving(self) -> bool:
        """Whether it is a video, a webcam or a stream rather than an image."""
        return self.image is None if self.path is None else _is_video(self.path)

    @property
    def live(self) -> bool:
        """Whether it has no end of its own."""
        return self.path is None and self.image is None and not self.whole

    @property
    def stem(self) -> str:
        """What a result is called, without an ending."""
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
        words: each an image, a video, a folder of them (not the folders in it), a pattern such as
            ``day*/*.jpg`` (``**`` goes down, the ending counts in any letter case), the index of a
            webcam, or a URL.

    Returns:
        The sources, and a sentence for each word that named none.
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
    """Return a sentence for each folder that has images, and others that are not read for their names."""
    folders = (word for word in words if Path(word).is_dir() and _files(word)[0])
    sentences = (left_out(word, below=False) for word in folders)
    return [sentence for sentence in sentences if sentence]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_EXTENSIONS


def _files(word: str) -> tuple[list[Path], str]:
    """Return the files that a word means, or none and the reason."""
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
    """Return a pattern that takes the ending of images or videos in any letter case."""
    stem, ending = os.path.splitext(pattern)
    if ending.lower() not in EXTENSIONS + VIDEO_EXTENSIONS:
        return pattern
    return stem + "".join(f"[{letter.lower()}{letter.upper()}]" for letter in ending)


def looked_up(source: Source, folder: Path, seconds: float = web.SECONDS) -> Source:
    """Ask a URL's server what it gives; other sources are what they are.

    Args:
        source: of any kind.
        folder: to put a video into that cannot be read where it is.
        seconds: to wait for an answer.

    Returns:
        The source with its image's bytes, or with whether it is a file; of a video whose server cannot
        begin in the middle of it, with the path of a copy in the folder.

    Raises:
        UserError: the server does not answer, or refuses.
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
    """Names result files so that none is a source itself, and no two are the same.

    The same sources in the same order get the same names again.

    Args:
        folder: where results go.
        sources: all sources of this run.
        own_stems: whether results differ before their ending too, for what is written beside them.
        is_free: whether a file may be written, as far as what is there already counts.
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
        """Return a path for a source's result: an ``.mp4`` for a video, else an image of the same kind.

        An image whose kind is not written for others to see, such as a PGM, becomes a JPEG.
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
        """Return a path in a folder that may be written, is no source and is not kept for another result.

        Args:
            folder: of the file.
            stem: its name; a number is put behind it where it is taken.
            suffix: its ending.
            stems: that it may not have, in small letters.
            keep: whether to keep it; what is written at once is there from then on.
        """

        def is_free(path: Path) -> bool:
            kept = _key(path) in self._taken or path.stem.casefold() in stems
            return not kept and self._is_free(path)

        path = free_path(folder, stem, suffix, is_free)
        if keep:
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
