"""``demo`` of a video or a webcam: read, find, draw and write, side by side."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from gluon_yolo.cli.demo_results import Record, milliseconds, records, summary
from gluon_yolo.cli.outputs import make_folder
from gluon_yolo.inference.sources import Source
from gluon_yolo.inference.stages import ReadAhead, WriteBehind
from gluon_yolo.inference.video import VideoReader, VideoWriter
from gluon_yolo.structures import Detections
from gluon_yolo.visualize import draw

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor

SECONDS_BETWEEN_LINES = 10


def look_at_video(
    predictor: Predictor, source: Source, result: Path, found: list[Record], frames: int | None
) -> None:
    """Find, draw and write each frame of a video or a webcam, and print one line at its end.

    Frames are read, and drawn and written, by two threads beside the one that finds, some frames ahead and
    behind. Of a video that breaks off, what could be read is kept, and said.

    Ctrl-C ends a webcam as a matter of course; of a video it keeps what is done and stops the whole run.

    Args:
        predictor: finds the objects.
        source: a video or a webcam.
        result: the MP4 to write.
        found: gets a record of each object, with its ``frame`` counted from 0.
        frames: stop after so many; None goes on to the end.

    Raises:
        UserError: when the video cannot be read, or the result not written.
    """
    classes: list[np.ndarray] = []
    totals = dict.fromkeys(predictor.timings, 0.0)
    names = predictor.class_names
    with VideoReader(source.path if source.camera is None else source.camera) as video:
        total = frames if video.frames is None else min(frames or video.frames, video.frames)
        with VideoWriter(result, video.fps) as writer, Progress(source.name, total) as progress:

            def write(drawing: tuple[np.ndarray, Detections]) -> None:
                writer.write(draw(*drawing, names))

            begin = time.perf_counter()
            try:
                with ReadAhead(itertools.islice(video, frames)) as ahead, WriteBehind(write) as behind:
                    for number, frame in enumerate(ahead):
                        detections = predictor(frame)
                        if number == 0:
                            make_folder("--out", result.parent)
                        behind.put((frame, detections))
                        found += records(source.name, detections, names, frame=number)
                        classes.append(detections.class_ids)
                        totals = {part: totals[part] + spent for part, spent in predictor.timings.items()}
                        progress.step()
            except KeyboardInterrupt:
                if source.camera is None or not classes:
                    raise
            seconds = time.perf_counter() - begin
    means = milliseconds({part: spent / len(classes) for part, spent in totals.items()})
    objects = summary(np.concatenate(classes), names)
    speed = f"{len(classes) / seconds:.1f} frames a second"
    print(f"{source.name}: {len(classes)} frames, {objects}; {means} a frame, {speed} -> {result}")
    if source.camera is None and total is not None and len(classes) < total:
        print(
            f"warning: {source.name}: ends after {len(classes)} of {video.frames} frames: the file is cut "
            f"short or damaged, or counts them wrongly; {result} has those that could be read",
            file=sys.stderr,
        )


class Progress:
    """Says how far a video is: a bar on a terminal, else a line every ten seconds; a context manager.

    Args:
        name: of the video.
        total: frames to come; None when nobody knows.
    """

    def __init__(self, name: str, total: int | None) -> None:
        self._bar = tqdm(total=total, desc=name, unit="frame", disable=None)
        self._line = f"{name}: frame {{}}" + (f" of {total}" if total else "")
        self._done, self._said = 0, time.monotonic()

    def step(self) -> None:
        """Count a frame."""
        self._bar.update()
        self._done += 1
        if self._bar.disable and time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            print(self._line.format(self._done), flush=True)
            self._said = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
