"""``demo`` of a video, a webcam or a stream: threads read, detect, draw and write at the same time."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from gluon_yolo.cli.demo_outputs import Outputs
from gluon_yolo.cli.demo_results import (
    Found,
    found_points,
    limit_note,
    milliseconds,
    summary,
    video_limit_note,
    with_points,
)
from gluon_yolo.detections import Detections
from gluon_yolo.inference.frames import RECONNECT, ahead_of, open_video
from gluon_yolo.inference.inputs import Source
from gluon_yolo.inference.pipeline import WriteBehind
from gluon_yolo.inference.streams import SECONDS
from gluon_yolo.inference.video import VideoWriter
from gluon_yolo.outputs import make_folder
from gluon_yolo.progress.bar import Bar
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor


def look_at_video(
    predictor: Predictor,
    source: Source,
    result: Path,
    found: Found,
    outputs: Outputs,
    frames: int | None = None,
    reconnect: int = RECONNECT,
    timeout: float = SECONDS,
) -> None:
    """Detect objects in each frame of a video, a webcam or a stream; write the drawn video; print a summary.

    One thread reads frames ahead, and one draws and writes them, beside the one that detects. If a video
    breaks off, the frames before are kept, and a warning is printed. A stream that breaks off is opened
    again.

    Ctrl-C is the usual end of a webcam or a stream. For a video, it keeps the finished frames and stops the
    whole command.

    Args:
        predictor: detects the objects.
        source: a video, a webcam or a stream.
        result: the MP4 file to write.
        found: gets a record of each object, with its ``frame`` from 0.
        outputs: draws, and writes the other requested files.
        frames: number of frames to read. None reads to the end.
        reconnect: consecutive attempts to open a broken stream again.
        timeout: seconds to wait for a stream to open, and for its next frame.

    Raises:
        UserError: the video cannot be read, or the result cannot be written.
    """
    # Only counts, no list of detections: a stream may have no end.
    count = 0
    classes: Counter[int] = Counter()
    parts = (*predictor.timings, *(["landmarks"] if outputs.landmarks is not None else []))
    totals = dict.fromkeys(parts, 0.0)
    names, limited, ending = predictor.class_names, 0, ""
    with open_video(source, reconnect, timeout, _warn) as video:
        total = frames if video.frames is None else min(frames or video.frames, video.frames)
        try:
            with VideoWriter(result, video.fps) as writer, Bar(total, source.name, "frame") as bar:

                def write(item: tuple[int, np.ndarray, Detections, np.ndarray | None]) -> None:
                    number, frame, detections, points = item
                    writer.write(outputs.drawn(frame, detections, points))
                    outputs.write_beside(result, frame, detections, number)

                begin = time.perf_counter()
                try:
                    with ahead_of(video, frames) as ahead, WriteBehind(write) as behind:
                        for number, frame in enumerate(ahead):
                            detections = predictor(frame)
                            timings = dict(predictor.timings)
                            points = found_points(outputs.landmarks, frame, detections, timings)
                            limited += bool(limit_note(len(detections), predictor))
                            if number == 0:
                                make_folder("--out", result.parent)
                            behind.put((number, frame, detections, points))
                            records = detections.records(source.name, frame=number)
                            found.add(with_points(records, points))
                            classes.update(detections.class_ids.tolist())
                            count = number + 1
                            totals = {part: totals[part] + spent for part, spent in timings.items()}
                            bar.update()
                except KeyboardInterrupt:
                    if not source.live or not count:
                        raise
                    ending = "Ctrl-C"
                seconds = time.perf_counter() - begin
        finally:
            outputs.note_video(result)
    means = milliseconds({part: spent / count for part, spent in totals.items()})
    objects = summary(classes, names)
    speed = f"{count / seconds:.1f} frames a second"
    print(f"{source.name}: {counted(count, 'frame')}, {objects}; {means} a frame, {speed} -> {result}")
    if limited:
        print(f"{source.name}: {video_limit_note(limited, count, predictor)}")
    if source.url is not None:
        print(f"{source.name}: ended: {ending or video.ending or f'--frames {frames}'}")
    if source.camera is None and total is not None and count < total:
        print(
            f"warning: {source.name}: ends after {count} of {video.frames} frames: the file is cut "
            f"short or damaged, or counts them wrongly; {result} has those that could be read",
            file=sys.stderr,
        )


def _warn(line: str) -> None:
    tqdm.write(f"warning: {line}", file=sys.stderr)
