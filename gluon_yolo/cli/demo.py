"""``demo``: draw what a model finds in pictures, videos or a webcam's frames."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gluon_yolo.cli.demo_results import Record, counted, milliseconds, records, summary, write_json
from gluon_yolo.cli.demo_video import look_at_video
from gluon_yolo.cli.model_flags import add_model_arguments, model_files, open_predictor
from gluon_yolo.cli.number_flags import Within
from gluon_yolo.cli.outputs import check_outputs, make_folder
from gluon_yolo.cli.stopped import saying
from gluon_yolo.data.pictures import read_picture
from gluon_yolo.errors import UserError
from gluon_yolo.inference.sources import ResultNames, Source, find_sources, left_out_of
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
    parser.add_argument("--frames", type=int, action=Within, least=1, metavar="N", help=frames_help)


def run(args: argparse.Namespace) -> int:
    """Look at each source; return 1 when one could not be read."""
    sources, problems = find_sources(args.sources)
    if not sources:
        raise UserError("\n".join(problems))
    out = Path(args.out)
    names = ResultNames(out, sources)
    if args.json and not names.reserve(Path(args.json)):
        raise UserError(f"--json {args.json}: is one of the sources; name another file")
    check_outputs({"--json": args.json}, {"--out": args.out}, model_files(args))
    found: list[Record] = []
    looked: list[Path] = []
    with saying(lambda: f"demo, {_until_then(args, len(sources), looked, found)}"):
        predictor = open_predictor(args)
        # The first call plans the network's memory, which no picture's time should show.
        predictor.detect_batch(np.zeros((1, *predictor.size_hw, 3), dtype=np.uint8))
        if predictor.runtime:
            print(f"runtime: {predictor.runtime}")
        for note in left_out_of(args.sources):
            print(f"note: {note}", file=sys.stderr)
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        failed = len(problems)
        try:
            for source in sources:
                look = look_at_video if source.moving else look_at_picture
                looked.append(names.result_of(source))
                try:
                    look(predictor, source, looked[-1], found, args.frames)
                except UserError as error:
                    print(f"error: {error}", file=sys.stderr)
                    failed += 1
        finally:
            if args.json:
                write_json(Path(args.json), found)
    done = len(sources) + len(problems) - failed
    written = [place for place in (str(out) if done else "", args.json) if place]
    where = f"results are in {' and '.join(written)}" if written else "nothing is written"
    trouble = f"; {failed} could not be read, see above" if failed else ""
    print(f"{done} done, {counted(len(found))}{trouble}; {where}")
    return 1 if failed else 0


def _until_then(args: argparse.Namespace, sources: int, looked: list[Path], found: list[Record]) -> str:
    """Say where a stopped run was, and what is left of it."""
    if not looked:
        return "before the first source; nothing is written"
    left = [f"what was drawn until then is in {args.out}"] if any(path.exists() for path in looked) else []
    left += [f"{counted(len(found))} in {args.json}"] if args.json else []
    return f"at source {len(looked)} of {sources}; {', '.join(left) or 'nothing is written'}"


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
    make_folder("--out", result.parent)
    write_picture(result, draw(picture, detections, predictor.class_names))
    objects = summary(detections.class_ids, predictor.class_names)
    print(f"{source.name}: {objects}; {milliseconds(timings)} -> {result}")
    found += records(source.name, detections, predictor.class_names)
