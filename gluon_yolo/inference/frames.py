"""Frames: one image after the other out of files, folders, videos, webcams and streams."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable, Union

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference.inputs import Source, find_sources, left_out_of, looked_up
from gluon_yolo.inference.pipeline import ReadAhead
from gluon_yolo.inference.streams import SECONDS, StreamReader
from gluon_yolo.inference.video import VideoReader

log = logging.getLogger("gluon_yolo")

RECONNECT = 5  # tries to open a stream again, in a row
Named = Union[str, int, "os.PathLike[str]"]
"""A path, a pattern, a URL, or a webcam's index."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One image on its way.

    Args:
        image: (H, W, 3) uint8 RGB.
        source: the image file, the video, ``camera N``, or the URL without its password.
        number: of a video's, webcam's or stream's frame, from 0; None for an image.
    """

    image: np.ndarray = dataclasses.field(repr=False)
    source: str
    number: int | None = None


def read_frames(
    source: Named | Sequence[Named],
    frames: int | None = None,
    reconnect: int = RECONNECT,
    timeout: float = SECONDS,
    skip_bad: bool = False,
) -> Iterator[Frame]:
    """Find what is named, and return an iterator over its images.

    Videos and streams are read by a thread, some frames ahead of their use, which ends with the iteration.

    Args:
        source: an image, a video, a folder of them, a pattern such as ``day*/*.jpg``, a webcam's index or a
            URL; or several of these.
        frames: stop each video, webcam or stream after so many; None goes on to its end.
        reconnect: tries to open a stream again that broke off, in a row.
        timeout: seconds to wait for a URL to answer, and for a stream's next frame.
        skip_bad: log what cannot be read, and go on with the next source, in the place of an error.

    Raises:
        UserError: nothing is found under a name; or, in the iteration, a source cannot be read.
    """
    several = [source] if isinstance(source, (str, int, os.PathLike)) else list(source)
    words = [str(os.fspath(one) if isinstance(one, os.PathLike) else one) for one in several]
    found, problems = find_sources(words)
    if problems and not (skip_bad and found):
        raise UserError("\n".join(problems))
    for note in [*problems, *left_out_of(words)]:
        log.warning("%s", note)
    return _read_all(found, frames, reconnect, timeout, skip_bad)


def _read_all(
    sources: Sequence[Source], frames: int | None, reconnect: int, timeout: float, skip_bad: bool
) -> Iterator[Frame]:
    for source in sources:
        try:
            yield from _read(source, frames, reconnect, timeout)
        except UserError as error:
            if not skip_bad:
                raise
            log.warning("left out: %s", error)


def _read(source: Source, frames: int | None, reconnect: int, timeout: float) -> Iterator[Frame]:
    with scratch_of(source) as scratch:
        source = looked_up(source, Path(scratch), timeout)
        if not source.moving:
            yield Frame(source.read(), source.name)
            return
        with open_video(source, reconnect, timeout) as video, ahead_of(video, frames) as images:
            for number, image in enumerate(images):
                yield Frame(image, source.name, number)


def scratch_of(source: Source) -> contextlib.AbstractContextManager[str]:
    """Return a folder for what a URL gives, which is gone afterwards; other sources need none."""
    if source.url is None:
        return contextlib.nullcontext("")
    return tempfile.TemporaryDirectory(prefix="gluon_yolo-")


def open_video(
    source: Source, reconnect: int, timeout: float, say: Callable[[str], None] = log.warning
) -> VideoReader | StreamReader:
    """Open a video, a webcam or a stream.

    Args:
        source: one of these, as :func:`gluon_yolo.inference.inputs.looked_up` returns it.
        reconnect: tries to open a stream again, in a row.
        timeout: seconds to wait for a stream to open, and for its next frame.
        say: called with a line when a stream breaks off or is back.

    Raises:
        UserError: it cannot be opened.
    """
    if source.url is not None and source.path is None:
        return StreamReader(source.url, source.whole, reconnect, say=say, seconds=timeout)
    place = source.path if source.camera is None else source.camera
    assert place is not None
    return VideoReader(place)


def ahead_of(video: VideoReader | StreamReader, frames: int | None) -> ReadAhead[np.ndarray]:
    """Return what reads a video's frames ahead of their use, so many at most."""
    return ReadAhead(itertools.islice(video, frames and min(frames, sys.maxsize)), stop=video.stop)
