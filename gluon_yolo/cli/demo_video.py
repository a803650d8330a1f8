"""``demo`` of a video, a webcam or a stream: read, find, draw and write, side by side."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from gluon_yolo.cli.demo_outputs import Outputs
from gluon_yolo.cli.demo_results import Found, limit_note, milliseconds, summary
from gluon_yolo.cli.flags.outputs import make_folder
from gluon_yolo.detections import Detections
from gluon_yolo.inference.frames import RECONNECT, ahead_of, open_video
from gluon_yolo.inference.inputs import Source
from gluon_yolo.inference.pipeline import WriteBehind
from gluon_yolo.inference.streams import SECONDS
from gluon_yolo.inference.video import VideoWriter
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
    """Find, draw and write each frame of a video, a webcam or a stream, and print some lines at its end.

    Frames are read, and drawn and written, by two threads beside the one that finds, some frames ahead and
    behind. Of a video that breaks off, what could be read is kept, and said. A stream that breaks off is
    opened again.

    Ctrl-C ends a webcam or a stream as a matter of course; of a video it keeps what is done and stops the
    whole run.

    Args:
        predictor: finds the objects.
        source: a video, a webcam or a stream.
        result: the MP4 to write.
        found: gets a record of each object, with its ``frame`` counted from 0.
        outputs: draws, and writes what else is asked for.
        frames: stop after so many; None goes on to the end.
        reconnect: tries to open a stream again.
        timeout: seconds to wait for a stream to open, and for its next frame.

    Raises:
        UserError: when the video cannot be read, or the result not written.
    """
    # Counts alone, and no list of what was seen: a stream may have no end.
    count = 0
    classes: Counter[int] = Counter()
    totals = dict.fromkeys(predictor.timings, 0.0)
    names, limited, ending = predictor.class_names, 0, ""
    with open_video(source, reconnect, timeout, _warn) as video:
        total = frames if video.frames is None else min(frames or video.frames, video.frames)
        try:
            with VideoWriter(result, video.fps) as writer, Bar(total, source.name, "frame") as bar:

                def write(item: tuple[int, np.ndarray, Detections]) -> None:
                    number, frame, detections = item
                    writer.write(outputs.drawn(frame, detections))
                    outputs.write_beside(result, frame, detections, number)

                begin = time.perf_counter()
                try:
                    with ahead_of(video, frames) as ahead, WriteBehind(write) as behind:
                        for number, frame in enumerate(ahead):
                            detections = predictor(frame)
                            limited += bool(limit_note(len(detections), predictor))
                            if number == 0:
                                make_folder("--out", result.parent)
                            behind.put((number, frame, detections))
                            found.add(detections.records(source.name, frame=number))
                            classes.update(detections.class_ids.tolist())
                            count = number + 1
                            totals = {part: totals[part] + spent for part, spent in predictor.timings.items()}
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
        print(
            f"{source.name}: in {limited} of {counted(count, 'frame')} --max-detections "
            f"{predictor.max_detections} cut something off"
        )
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
