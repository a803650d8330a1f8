"""Read the frames of a video stream by its URL, and reconnect when it breaks off."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Callable

import cv2
import numpy as np

from gluon_yolo.data.images.opencv_log import quiet
from gluon_yolo.errors import UserError
from gluon_yolo.inference.urls import shown, why_silent
from gluon_yolo.inference.video import fps_of
from gluon_yolo.inference.web import LONGEST, SECONDS
from gluon_yolo.text import counted

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds before each attempt to reconnect; the last value repeats
STEADY = 60.0  # seconds of frames after which the attempts count from 0 again
# Settings that OpenCV reads from the environment. FFmpeg's log is off, because it can show the URL with its
# password; errors are reported otherwise. RTSP uses TCP if possible, because packets lost with UDP are
# visible in the frames.
_FFMPEG = {
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_flags;prefer_tcp",
}
_SHORT = 0.02  # share of a file's frames that may be missing at its end: frame counts are estimates


class StreamReader:
    """Read the frames of a stream in order, and reconnect after a break; a context manager.

    Args:
        url: rtsp, rtmp, http, udp or any other that OpenCV's FFmpeg opens.
        whole: whether it is a file, which has an end; after a break it is read on from the same frame.
        reconnect: largest number of attempts to reconnect, in a row.
        say: function that gets a message when the stream breaks off or is back.
        pauses: seconds before each attempt.
        seconds: timeout for opening, and for each frame.

    Attributes:
        fps: frames per second.
        frames: number of frames of a file; None when unknown, and for a stream.
        ending: after the last frame, the reason for the end.

    Raises:
        UserError: the stream cannot be opened.
    """

    def __init__(
        self,
        url: str,
        whole: bool = False,
        reconnect: int = 5,
        say: Callable[[str], None] = print,
        pauses: tuple[float, ...] = PAUSES,
        seconds: float = SECONDS,
    ) -> None:
        self._url, self._name, self._whole = url, shown(url), whole
        self._reconnect, self._say, self._pauses = reconnect, say, pauses
        self._seconds = min(seconds, LONGEST)
        self._stopped = threading.Event()
        self.ending = ""
        self._capture = self._opened()
        if not self._capture.isOpened():
            raise UserError(f"{self._name}: cannot be opened: {why_silent(url, self._seconds)}")
        self.fps = fps_of(self._capture)
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(frames) if whole and 0 < frames < 1e9 else None

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W, 3) uint8 RGB.

        Raises:
            UserError: there is no frame at all.
        """
        count = tries = 0
        while True:
            since = time.monotonic()
            while not self._stopped.is_set():
                there, frame = self._read()
                if not there:
                    break
                count += 1
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            if self._is_over(count):
                break
            if time.monotonic() - since > STEADY:
                tries = 0
            tries = self._again(count, tries)
            if self.ending:
                break
        if not count and not self._stopped.is_set():
            raise UserError(f"{self._name}: gives no frame that can be read: {self.ending}")

    def stop(self) -> None:
        """End the frames and the attempts to reconnect; can be called in any thread."""
        self._stopped.set()

    def _is_over(self, count: int) -> bool:
        """Return whether there will be no more frames, and set ``ending``."""
        if self._stopped.is_set():
            self.ending = "it was stopped"
        elif self._whole and (self.frames is None or count >= self.frames * (1 - _SHORT) - 1):
            self.ending = "it is at its end"
        return bool(self.ending)

    def _again(self, count: int, tries: int) -> int:
        """Reconnect, or set ``ending``; return the number of attempts, earlier ones included."""
        broke = f"broke off after {counted(count, 'frame')}"
        while tries < self._reconnect:
            pause = self._pauses[min(tries, len(self._pauses) - 1)]
            tries += 1
            self._say(f"{self._name}: {broke}; trying again in {pause:g} s ({tries} of {self._reconnect})")
            if self._stopped.wait(pause):
                self.ending = "it was stopped"
                return tries
            self._capture.release()
            self._capture = self._opened()
            if self._capture.isOpened() and self._at(count):
                self._say(f"{self._name}: is back")
                return tries
        why = f", and {counted(tries, 'try', 'tries')} to open it again brought nothing" if tries else ""
        self.ending = f"it {broke}{why}"
        return tries

    def _at(self, count: int) -> bool:
        """Skip the frames of a file that were read already; return whether they are there."""
        return not self._whole or all(self._capture.grab() for _ in range(count))

    def _opened(self) -> Any:
        """Return OpenCV's capture, which may have failed to open."""
        for name, value in _FFMPEG.items():
            os.environ.setdefault(name, value)
        wait = int(self._seconds * 1e3)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait]
        with quiet():
            return cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)

    def _read(self) -> tuple[bool, Any]:
        """Return whether there is another frame, and the frame, BGR."""
        with quiet():
            return self._capture.read()

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()
