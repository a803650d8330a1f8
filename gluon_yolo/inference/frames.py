"""Frames: the images of files, folders, videos, webcams and streams, one after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable, Union

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference.inputs import Source, find_sources, left_out_of, looked_up
from gluon_yolo.inference.pipeline import ReadAhead
from gluon_yolo.inference.streams import SECONDS, StreamReader
from gluon_yolo.inference.video import VideoReader
from gluon_yolo.system.scratch import temporary_folder

log = logging.getLogger("gluon_yolo")

RECONNECT = 5  # consecutive attempts to open a stream again
Named = Union[str, int, "os.PathLike[str]"]
"""A path, a pattern, a URL, or the index of a webcam."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One image and its source.

    Args:
        image: (H, W, 3) uint8 RGB.
        source: the image file, the video, ``camera N``, or the URL without its password.
        number: of a frame of a video, webcam or stream, from 0; None for an image file.
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
    """Find the sources, and return an iterator over their images.

    A thread reads the frames of videos and streams ahead. The thread ends with the iteration.

    Args:
        source: an image, a video, a folder of them, a pattern such as ``day*/*.jpg``, the index of a webcam,
            or a URL; or a sequence of these.
        frames: number of frames to read of each video, webcam or stream. None reads all.
        reconnect: consecutive attempts to open a broken stream again.
        timeout: seconds to wait for a URL's answer, and for a stream's next frame.
        skip_bad: log a source that cannot be read, and continue with the next one, instead of an error.

    Raises:
        UserError: nothing is found for a name; or, during the iteration, a source cannot be read.
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
        source = looked_up(source, scratch, timeout)
        if not source.moving:
            yield Frame(source.read(), source.name)
            return
        with open_video(source, reconnect, timeout) as video, ahead_of(video, frames) as images:
            for number, image in enumerate(images):
                yield Frame(image, source.name, number)


def scratch_of(source: Source) -> contextlib.AbstractContextManager[Path]:
    """Return a temporary folder for the download of a URL; other sources need none."""
    if source.url is None:
        return contextlib.nullcontext(Path())
    return temporary_folder()


def open_video(
    source: Source, reconnect: int, timeout: float, say: Callable[[str], None] = log.warning
) -> VideoReader | StreamReader:
    """Open a video, a webcam or a stream.

    Args:
        source: as :func:`gluon_yolo.inference.inputs.looked_up` returns it.
        reconnect: consecutive attempts to open a broken stream again.
        timeout: seconds to wait for a stream to open, and for its next frame.
        say: called with a message when a stream breaks off or works again.

    Raises:
        UserError: it cannot be opened.
    """
    if source.url is not None and source.path is None:
        return StreamReader(source.url, source.whole, reconnect, say=say, seconds=timeout)
    place = source.path if source.camera is None else source.camera
    assert place is not None
    return VideoReader(place)


def ahead_of(video: VideoReader | StreamReader, frames: int | None) -> ReadAhead[np.ndarray]:
    """Return an iterator that reads the frames of a video ahead, up to a number of frames."""
    return ReadAhead(itertools.islice(video, frames and min(frames, sys.maxsize)), stop=video.stop)
