"""Read frames from a video file or a webcam, and write them to an MP4 file.

Frames are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from gluon_yolo.data.images.opencv_log import quiet
from gluon_yolo.errors import NotWritten, UserError

_LAST_WEBCAM = 2**31 - 1  # OpenCV's indices are int32
USUAL_FPS = 25.0  # where a video or a webcam does not tell


def fps_of(capture: Any) -> float:
    """Return the frames per second of OpenCV's capture; ``USUAL_FPS`` where it does not know."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if math.isfinite(fps) and 1 <= fps <= 1000 else USUAL_FPS


class VideoReader:
    """Read the frames of a video in order; a context manager.

    Args:
        source: a file, or the index of a webcam.

    Attributes:
        fps: frames per second.
        frames: number of frames according to the file; None when unknown, and for a webcam.
        ending: after the last frame, the reason for the end.

    Raises:
        UserError: the video cannot be opened.
    """

    def __init__(self, source: Path | int) -> None:
        self._source = source
        self._stopped = False
        self.ending = ""
        with quiet():
            place = min(source, _LAST_WEBCAM) if isinstance(source, int) else str(source)
            self._capture = cv2.VideoCapture(place)
        if not self._capture.isOpened():
            if isinstance(source, int):
                raise UserError(f"webcam {source}: cannot be opened; is it connected, and free?")
            empty = source.is_file() and not source.stat().st_size
            why = "the file is empty" if empty else "damaged, cut short, or of a kind unknown to OpenCV"
            raise UserError(f"{source}: cannot be read as a video ({why})")
        self.fps = fps_of(self._capture)
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(frames) if isinstance(source, Path) and 0 < frames < 1e9 else None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W, 3) uint8 RGB.

        Raises:
            UserError: there is no frame at all.
        """
        count = 0
        while not self._stopped:
            with quiet():
                there, frame = self._capture.read()
            if not there:
                break
            count += 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        self.ending = "it was stopped" if self._stopped else "it is at its end"
        if not count and not self._stopped:
            raise UserError(f"{self._source}: gives no frame that can be read")

    def stop(self) -> None:
        """End the frames; can be called in any thread."""
        self._stopped = True

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()


class VideoWriter:
    """Write frames to an MP4 file, which gets its name when it is closed; a context manager.

    After an interruption (Ctrl-C) the frames so far are kept; after any other error the file is deleted.

    Args:
        path: of the file.
        fps: frames per second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._part = path.with_name(f"{path.stem}.part{path.suffix}")
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)

    def write(self, frame: np.ndarray) -> None:
        """Append a frame (H, W, 3) uint8 RGB; one of another size than the first is resized.

        Raises:
            UserError: the file cannot be written.
        """
        if self._writer is None:
            self._size_wh = (frame.shape[1], frame.shape[0])
            self._writer = cv2.VideoWriter(
                str(self._part), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size_wh
            )
            if not self._writer.isOpened():
                raise NotWritten(
                    f"{self._path}: cannot be written as MP4; check the folder, and OpenCV's video support"
                )
        if frame.shape[1::-1] != self._size_wh:  # OpenCV would ignore the frame
            frame = cv2.resize(frame, self._size_wh, interpolation=cv2.INTER_AREA)
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if kind is None or issubclass(kind, KeyboardInterrupt):
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)
