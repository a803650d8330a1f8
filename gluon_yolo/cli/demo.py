"""``demo``: draw what a model finds in pictures, videos or a webcam's frames."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from gluon_yolo.atomic import replacing, writing
from gluon_yolo.cli.model_flags import add_model_arguments, open_predictor
from gluon_yolo.data.pictures import read_picture
from gluon_yolo.errors import UserError
from gluon_yolo.inference.sources import ResultNames, Source, find_sources
from gluon_yolo.inference.video import VideoReader, VideoWriter
from gluon_yolo.structures import Detections
from gluon_yolo.visualize import draw, write_picture

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor

HELP = """\
Draw the boxes that a model finds in pictures, folders of pictures, patterns, videos or a webcam. Needs no
display: the drawn pictures (for videos an MP4) go to --out; no source is overwritten. One line per picture
says what was found, and the milliseconds of pre-process, network and post-process. Exit status 1 when a
source could not be read.

  gluon-yolo demo --model exported street.jpg more_pictures/ 'day*/*.png'
  gluon-yolo demo --model runs/cells clip.mp4 --json found.json
  gluon-yolo demo --model exported 0 --frames 300
"""
SECONDS_BETWEEN_LINES = 10
Record = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``demo`` takes."""
    sources_help = "pictures, videos, folders, patterns in quotes, or the index of a webcam (Ctrl-C ends it)"
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=sources_help)
    add_model_arguments(parser, score_threshold=0.3)
    data_help = "Yolo-FastestV2's .data file, which says all of the model but its --weights"
    parser.add_argument("--data", metavar="FILE", help=data_help)
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line, for a custom --network")
    parser.add_argument(
        "--out", default="demo_out", metavar="DIR", help="results go there (default: %(default)s)"
    )
    json_help = (
        'write a list of {"image", "class", "score", "box": [x1, y1, x2, y2]}, boxes in the picture\'s pixels'
    )
    parser.add_argument("--json", metavar="FILE", help=json_help)
    frames_help = "stop each video or webcam after so many frames"
    parser.add_argument("--frames", type=int, metavar="N", help=frames_help)


def run(args: argparse.Namespace) -> int:
    """Look at each source; return 1 when one could not be read."""
    if args.frames is not None and args.frames < 1:
        raise UserError(f"--frames {args.frames}: expected 1 or more")
    sources, problems = find_sources(args.sources)
    if not sources:
        raise UserError("\n".join(problems))
    out = Path(args.out)
    names = ResultNames(out, sources)
    if args.json and not names.reserve(Path(args.json)):
        raise UserError(f"--json {args.json}: is one of the sources; name another file")
    for folder in [out, *([Path(args.json).parent] if args.json else [])]:
        with writing(folder, "name another place"):
            folder.mkdir(parents=True, exist_ok=True)
    predictor = open_predictor(args)
    # The first call plans the network's memory, which no picture's time should show.
    predictor.detect_batch(np.zeros((1, *predictor.size_hw, 3), dtype=np.uint8))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)

    failed = len(problems)
    found: list[Record] = []
    try:
        for source in sources:
            try:
                look = look_at_video if source.moving else look_at_picture
                look(predictor, source, names.result_of(source), found, args.frames)
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                failed += 1
    finally:
        if args.json:
            write_json(Path(args.json), found)
    done = len(sources) + len(problems) - failed
    where = f"{out} and {args.json}" if args.json else str(out)
    trouble = f"; {failed} could not be read, see above" if failed else ""
    print(f"{done} done, {counted(len(found))}{trouble}; results are in {where}")
    return 1 if failed else 0


def look_at_picture(
    predictor: Predictor, source: Source, result: Path, found: list[Record], frames: int | None
) -> None:
    """Find, draw, write and print one picture; ``frames`` is for videos.

    Raises:
        UserError: when the picture cannot be read, or the result not written.
    """
    assert source.path is not None
    begin = time.perf_counter()
    picture = read_picture(source.path)
    reading = (time.perf_counter() - begin) * 1e3
    detections = predictor(picture)
    timings = {**predictor.timings, "preprocess": reading + predictor.timings["preprocess"]}
    write_picture(result, draw(picture, detections, predictor.class_names))
    objects = summary(detections.class_ids, predictor.class_names)
    print(f"{source.name}: {objects}; {milliseconds(timings)} -> {result}")
    found += records(source.name, detections, predictor.class_names)


def look_at_video(
    predictor: Predictor, source: Source, result: Path, found: list[Record], frames: int | None
) -> None:
    """Find, draw and write each frame of a video or a webcam, and print one line at its end.

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
    with VideoReader(source.path if source.camera is None else source.camera) as video:
        total = frames if video.frames is None else min(frames or video.frames, video.frames)
        with VideoWriter(result, video.fps) as writer, Progress(source.name, total) as progress:
            try:
                for number, frame in enumerate(itertools.islice(video, frames)):
                    detections = predictor(frame)
                    writer.write(draw(frame, detections, predictor.class_names))
                    found += records(source.name, detections, predictor.class_names, frame=number)
                    classes.append(detections.class_ids)
                    totals = {part: totals[part] + spent for part, spent in predictor.timings.items()}
                    progress.step()
            except KeyboardInterrupt:
                if source.camera is None or not classes:
                    raise
    means = {part: spent / len(classes) for part, spent in totals.items()}
    objects = summary(np.concatenate(classes), predictor.class_names)
    print(f"{source.name}: {len(classes)} frames, {objects}; {milliseconds(means)} a frame -> {result}")


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


def records(name: str, detections: Detections, class_names: Sequence[str], **more: int) -> list[Record]:
    """Return one plain record per detection, best first."""
    assert detections.scores is not None
    return [
        {
            "image": name,
            **more,
            "class": class_names[class_id],
            "score": round(float(score), 5),
            "box": [round(float(side), 2) for side in box],
        }
        for class_id, score, box in zip(detections.class_ids, detections.scores, detections.boxes)
    ]


def summary(class_ids: np.ndarray, class_names: Sequence[str]) -> str:
    """Say how many objects there are, and of which classes, the most frequent first."""
    counts = Counter(class_ids.tolist()).most_common()
    named = ", ".join(f"{class_names[class_id]} {count}" for class_id, count in counts)
    return counted(len(class_ids)) + (f" ({named})" if named else "")


def counted(number: int) -> str:
    """Say a number of objects."""
    return "1 object" if number == 1 else f"{number} objects"


def milliseconds(timings: dict[str, float]) -> str:
    """Say a predictor's timings."""
    names = {"preprocess": "pre-process", "network": "network", "postprocess": "post-process"}
    return ", ".join(f"{name} {timings[part]:.1f} ms" for part, name in names.items())


def write_json(path: Path, found: list[Record]) -> None:
    """Write the records, whole or not at all.

    Raises:
        UserError: when the file cannot be written.
    """
    with writing(path, "name another file with --json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in found)
            part.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
