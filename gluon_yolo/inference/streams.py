"""Streams: the frames of what a URL names, opened again when it breaks off."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Callable

import cv2
import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference.urls import shown, why_silent
from gluon_yolo.inference.video import fps_of, quiet
from gluon_yolo.inference.web import LONGEST, SECONDS
from gluon_yolo.text import counted

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds before each try to open a stream again; the last goes on
STEADY = 60.0  # seconds after which a stream is well again, and may break off as often as at first
# What OpenCV reads from the environment: of what FFmpeg says nothing is shown, since it may hold the URL, and
# the reasons are found otherwise; RTSP goes by TCP first, since by UDP what is lost is seen in the frames.
_FFMPEG = {
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_flags;prefer_tcp",
}
_SHORT = 0.02  # of a file's frames that its end may lack: counts are estimates


class StreamReader:
    """Reads a stream's frames in order, and goes on after a break; a context manager.

    Args:
        url: rtsp, rtmp, http, udp and what else OpenCV's FFmpeg opens.
        whole: whether it is a file, whose end is the end; what breaks off before is taken up where it was.
        reconnect: tries to open it again, in a row.
        say: called with a line when the stream breaks off or is back.
        pauses: seconds before the first try, the second and so on.
        seconds: to wait for it to open, and for the next frame.

    Attributes:
        fps: frames per second.
        frames: how many a file has; None when it does not say, and for a stream.
        ending: why no more frames came, once they have ended.

    Raises:
        UserError: when it cannot be opened.
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
            UserError: when there is not a single one.
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
        """Let no more frames come, and no more tries be made; from any thread."""
        self._stopped.set()

    def _is_over(self, count: int) -> bool:
        """Say whether frames have ended for good."""
        if self._stopped.is_set():
            self.ending = "it was stopped"
        elif self._whole and (self.frames is None or count >= self.frames * (1 - _SHORT) - 1):
            self.ending = "it is at its end"
        return bool(self.ending)

    def _again(self, count: int, tries: int) -> int:
        """Open the stream again, or set why not; return how many tries that took, with those before."""
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
        """Go to where a file broke off; say whether it is there."""
        return not self._whole or all(self._capture.grab() for _ in range(count))

    def _opened(self) -> Any:
        """Return the stream's capture, which may have failed to open."""
        for name, value in _FFMPEG.items():
            os.environ.setdefault(name, value)
        wait = int(self._seconds * 1e3)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait]
        with quiet():
            return cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)

    def _read(self) -> tuple[bool, Any]:
        """Return whether there was another frame, and the frame, BGR."""
        with quiet():
            return self._capture.read()

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()
