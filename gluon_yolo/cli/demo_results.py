"""Demo results: detections as printed lines and as JSON records."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.detections import Detections
from gluon_yolo.nms import candidates_for
from gluon_yolo.outputs import make_folder
from gluon_yolo.tables import json_lines
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.inference.face_landmarks import FaceLandmarks
    from gluon_yolo.inference.predictor import Predictor

Record = dict[str, Any]
_ELSEWHERE = "name another place with --json"


def summary(counts: Counter[int], class_names: Sequence[str]) -> str:
    """Return the number of objects and their classes, the most frequent first.

    Args:
        counts: number of objects of each class, by its id.
        class_names: of the model.
    """
    named = ", ".join(f"{class_names[class_id]} {count}" for class_id, count in counts.most_common())
    return counted(sum(counts.values()), "object") + (f" ({named})" if named else "")


def limit_note(count: int, predictor: Predictor) -> str:
    """Return a note if a limit cut off detections in the predictor's last call; else empty text.

    Args:
        count: number of detections of the last image.
        predictor: that detected them.
    """
    most = predictor.max_detections
    if not predictor.left_out or predictor.left_out[-1] <= 0:
        return ""
    if predictor.tile is not None and count < most:
        return f"{counted(count, 'object')}; in some tile a limit cut boxes off: raise {_named(predictor)}"
    own = predictor.network_limit
    if own is not None and own <= count < most:
        return f"{counted(count, 'object')}, the most that the model's own suppression lets stand"
    if count >= most:
        return f"{counted(count, 'object')}, the most that --max-detections {most} allows; there were more"
    compared = predictor.max_candidates or candidates_for(most)
    return (
        f"{counted(count, 'object')} of the best {compared} boxes, and no more were looked at; there may be "
        f"more: raise {'--max-candidates' if predictor.max_candidates else '--max-detections'}"
    )


def video_limit_note(limited: int, frames: int, predictor: Predictor) -> str:
    """Return a note on the frames of a video in which a limit cut off detections.

    Args:
        limited: number of these frames.
        frames: number of all frames.
        predictor: that detected them.
    """
    limits = f"--max-detections {predictor.max_detections}"
    if predictor.max_candidates:
        limits += f" or --max-candidates {predictor.max_candidates}"
    return f"in {limited} of {counted(frames, 'frame')} {limits} cut something off"


def _named(predictor: Predictor) -> str:
    """Return the flags of the limits; that of the candidates only where they do not follow the detections."""
    return "--max-detections or --max-candidates" if predictor.max_candidates else "--max-detections"


def milliseconds(timings: dict[str, float]) -> str:
    """Return a predictor's timings as text."""
    names = {"preprocess": "pre-process", "network": "network", "postprocess": "post-process"}
    names.update({"landmarks": "landmarks"} if "landmarks" in timings else {})
    return ", ".join(f"{name} {timings[part]:.1f} ms" for part, name in names.items())


def found_points(
    landmarks: FaceLandmarks | None, image: np.ndarray, found: Detections, timings: dict[str, float]
) -> np.ndarray | None:
    """Return the landmarks in each detection, (N, P, 2); None without a landmark network.

    Args:
        landmarks: the network.
        image: (H, W, 3) uint8 RGB.
        found: detections in its pixels.
        timings: gets the duration in milliseconds as ``landmarks``.
    """
    if landmarks is None:
        return None
    begin = time.perf_counter()
    points = landmarks(image, found)
    timings["landmarks"] = (time.perf_counter() - begin) * 1e3
    return points


def with_points(records: Sequence[Record], points: np.ndarray | None) -> Sequence[Record]:
    """Return records of detections with their ``landmarks``, ``[[x, y], ...]``, where there are any."""
    if points is None:
        return records
    faces = np.round(points.astype(float), 2).tolist()
    return [{**record, "landmarks": face} for record, face in zip(records, faces)]


class Found:
    """Counts detections, and writes their records to a file at once; a context manager.

    Records are not kept in memory. The file gets its name at the end of the block, also after an error.

    Args:
        path: of the file: a list in JSON, one object a line. None writes none.
    """

    def __init__(self, path: Path | None) -> None:
        self._count = 0
        self._path = path
        self._open = contextlib.ExitStack()
        self._file: TextIO | None = None

    def __len__(self) -> int:
        """Return the number of detections."""
        return self._count

    def add(self, records: Sequence[Record]) -> None:
        """Count records, and write them if a file is requested.

        Raises:
            UserError: the file cannot be written.
        """
        if self._path is not None and records:
            with writing(self._path, _ELSEWHERE):
                file = self._file = self._file or self._begun(self._path)
                lines = json_lines(records)
                file.write(f",\n{lines}" if self._count else lines)
        self._count += len(records)

    def _begun(self, path: Path) -> TextIO:
        make_folder("--json", path.parent)
        part = self._open.enter_context(replacing(path))
        # Bytes of a name that are not valid text become \udc80 and the like, which JSON can read back. The
        # buffer of Python 3.14 holds 128 KiB, which would be lost when the process is killed.
        file = self._open.enter_context(
            part.open("w", buffering=8192, encoding="utf-8", errors="backslashreplace")
        )
        file.write("[\n")
        return file

    def __enter__(self) -> Found:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None:
            return
        with writing(self._path, _ELSEWHERE):
            file = self._file or self._begun(self._path)
            with self._open:
                file.write("\n]\n")
