"""``demo``: draw the detections of a model in images, videos, webcams and streams."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gluon_yolo.cli.calling import message, typed
from gluon_yolo.cli.demo_labels import DATASET, LabelledImages
from gluon_yolo.cli.demo_outputs import Outputs, add_output_arguments, output_folders
from gluon_yolo.cli.demo_results import Found, found_points, limit_note, milliseconds, summary, with_points
from gluon_yolo.cli.demo_video import look_at_video
from gluon_yolo.cli.demo_written import Written
from gluon_yolo.cli.flags.model import add_model_arguments, model_files, open_predictor
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import saying
from gluon_yolo.cli.flags.tiles import add_tile_arguments
from gluon_yolo.errors import DamagedModel, NotWritten, UserError, named
from gluon_yolo.inference.frames import RECONNECT, scratch_of
from gluon_yolo.inference.inputs import ResultNames, Source, find_sources, left_out_of, looked_up
from gluon_yolo.inference.web import LONGEST, SECONDS
from gluon_yolo.nms import SHOWN_SCORE
from gluon_yolo.outputs import check_outputs
from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.inference.face_landmarks import FaceLandmarks
    from gluon_yolo.inference.predictor import Predictor

HELP = """\
Draw the boxes that a model finds in pictures, folders of pictures, patterns, videos, a webcam or a stream.
Needs no display: the drawn pictures (for videos and streams an MP4) go to --out, where only what an earlier
demo wrote is overwritten. One line per picture says what was found, and the milliseconds of pre-process,
network and post-process. A stream that breaks off is opened again, with growing pauses. Exit status 1 when a
source could not be read, or its result not written.

  gluon-yolo demo --model exported street.jpg more_pictures/ 'day*/*.png'
  gluon-yolo demo --model runs/cells clip.mp4 --json found.json
  gluon-yolo demo --model exported 0 --frames 300
  gluon-yolo demo --model faces --landmarks points people.jpg --json found.json
  gluon-yolo demo --model exported aerial.tif --tile 640 --overlap 0.2
  gluon-yolo demo --model exported rtsp://USER:PASSWORD@10.0.0.9/live --classes-only person,dog --save-crops
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``demo``."""
    sources_help = (
        "pictures, videos, folders, patterns in quotes, the index of a webcam, or URLs (rtsp, rtmp, http, "
        "udp, ...) of streams, videos or pictures; Ctrl-C ends a webcam or a stream"
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=sources_help)
    add_model_arguments(parser)
    add_tile_arguments(parser)
    landmarks_help = (
        "a network of face landmarks, exported or imported by `import caffe`: its points are found in each "
        "box and drawn; the model is then one that finds faces"
    )
    parser.add_argument("--landmarks", metavar="DIR", help=landmarks_help)
    only_help = "look for these classes alone; the others take no part"
    parser.add_argument("--classes-only", metavar="NAME,NAME", help=only_help)
    data_help = "Yolo-FastestV2's .data file, which says all of the model but its --weights"
    parser.add_argument("--data", metavar="FILE", help=data_help)
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line, for a custom --network")
    frames_help = "stop each video, webcam or stream after so many frames"
    parser.add_argument("--frames", type=int, action=Within, least=1, metavar="N", help=frames_help)
    again_help = "tries to open a stream again that broke off, in a row (default: %(default)s)"
    parser.add_argument(
        "--reconnect", type=int, action=Within, least=0, default=RECONNECT, metavar="N", help=again_help
    )
    wait_help = "seconds to wait for a URL to answer, and for a stream's next frame (default: %(default)s)"
    parser.add_argument(
        "--timeout",
        type=float,
        action=Within,
        least=0.1,
        most=LONGEST,
        default=SECONDS,
        metavar="S",
        help=wait_help,
    )
    add_output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the model on each source; return 1 if one could not be read."""
    sources, problems = find_sources(args.sources)
    if not sources:
        raise UserError("\n".join(problems))
    out = Path(args.out)
    written = Written(out)
    names = ResultNames(out, sources, _own_stems(args), written.is_free)
    if args.json and not names.reserve(Path(args.json)):
        raise UserError(f"--json {args.json}: is one of the sources; name another file")
    check_outputs({"--json": args.json}, output_folders(args, written), model_files(args))
    found = Found(Path(args.json) if args.json else None)
    looked: list[Path] = []
    with saying(lambda: f"demo, {_until_then(args, len(sources), looked, found, written)}"):
        landmarks = _landmarks(args)
        predictor = open_predictor(args)
        # The first call plans the network's memory; no image's time should include this.
        batch = 1 if predictor.tile is None else predictor.batch_size
        predictor.detect_batch(np.zeros((batch, *predictor.size_hw, 3), dtype=np.uint8))
        if first := _first_line(args, predictor, landmarks):
            print(first)
        for note in left_out_of(args.sources):
            print(f"note: {note}", file=sys.stderr)
        for problem in problems:
            print(typed(f"error: {problem}"), file=sys.stderr)
        failed, unwritten = len(problems), 0
        labelled = LabelledImages(out, args.save_labels, predictor.class_names)
        outputs = _outputs(args, predictor, names, written, labelled, landmarks)
        with found, labelled:
            for source in sources:
                try:
                    with scratch_of(source) as scratch:
                        source = looked_up(source, scratch, args.timeout)
                        looked.append(names.result_of(source))
                        if source.moving:
                            more = (args.frames, args.reconnect, args.timeout)
                            look_at_video(predictor, source, looked[-1], found, outputs, *more)
                        else:
                            look_at_image(predictor, source, looked[-1], found, outputs)
                except DamagedModel:  # it is no fault of the source
                    raise
                except UserError as error:
                    print(f"error: {message(error)}", file=sys.stderr)
                    failed += 1
                    unwritten += isinstance(error, NotWritten)
    done = len(sources) + len(problems) - failed
    places = [place for place in (str(out) if written.count else "", args.json) if place]
    where = f"results are in {' and '.join(places)}" if places else "nothing is written"
    counts = {"read": failed - unwritten, "written": unwritten}
    trouble = ", ".join(f"{count} could not be {what}" for what, count in counts.items() if count)
    trouble = trouble and f"; {trouble}, see above"
    if line := labelled.line():
        print(line)
    print(f"{done} done, {counted(len(found), 'object')}{trouble}; {where}")
    return 1 if failed else 0


def _landmarks(args: argparse.Namespace) -> FaceLandmarks | None:
    """Return the landmark network that the arguments name, after a first call, which plans its memory."""
    if not args.landmarks:
        return None
    from gluon_yolo.inference.face_landmarks import FaceLandmarks

    runtime = FaceLandmarks.runtime_for(args.landmarks, args.runtime)
    network = FaceLandmarks.load(args.landmarks, runtime, args.gpu, args.remeasure)
    network.raw(np.zeros((1, *network.spec.size_hw, 3), np.uint8))
    return network


def _first_line(
    args: argparse.Namespace, predictor: Predictor, landmarks: FaceLandmarks | None = None
) -> str:
    """Return the runtime, and the score threshold where it is the model's own; empty if there is neither."""
    parts = [f"runtime: {predictor.runtime}"] if predictor.runtime else []
    if args.score_threshold is None and predictor.score_threshold != SHOWN_SCORE:
        shown = f"score > {predictor.score_threshold:.3f}"
        parts.append(f"{shown}, with which F1 was best in its validation; --score-threshold for another")
    if landmarks is not None:
        parts.append(f"{landmarks.spec.num_points} landmarks of each object, runtime: {landmarks.runtime}")
    return "; ".join(parts)


def _own_stems(args: argparse.Namespace) -> bool:
    """Return whether each result needs a stem of its own, for the files beside it."""
    return bool(args.save_txt or args.save_crops or args.save_labels)


def _outputs(
    args: argparse.Namespace,
    predictor: Predictor,
    names: ResultNames,
    written: Written,
    labelled: LabelledImages,
    landmarks: FaceLandmarks | None = None,
) -> Outputs:
    """Return the object that draws and writes, as the arguments request."""
    return Outputs(
        predictor.class_names,
        names,
        Path(args.out),
        crops=args.save_crops,
        txt=args.save_txt,
        labels=not args.hide_labels,
        scores=not args.hide_scores,
        line_width=args.line_width,
        written=written,
        labelled=labelled,
        landmarks=landmarks,
    )


def _until_then(
    args: argparse.Namespace, sources: int, looked: list[Path], found: Found, written: Written
) -> str:
    """Return text on where a stopped run was, and on the files that it leaves."""
    if not looked:
        return "before the first source; nothing is written"
    left = [f"what was drawn until then is in {args.out}"] if written.count else []
    left += [f"its labels are in {Path(args.out) / DATASET}"] if args.save_labels and written.count else []
    left += [f"{counted(len(found), 'object')} in {args.json}"] if args.json else []
    return f"at source {len(looked)} of {sources}; {', '.join(left) or 'nothing is written'}"


def look_at_image(predictor: Predictor, source: Source, result: Path, found: Found, outputs: Outputs) -> None:
    """Detect the objects of one image; write and print the result.

    Raises:
        UserError: the image cannot be read, or the result cannot be written.
    """
    begin = time.perf_counter()
    image = source.read()
    reading = (time.perf_counter() - begin) * 1e3
    with named(source.name):
        detections = predictor(image)
    timings = {**predictor.timings, "preprocess": reading + predictor.timings["preprocess"]}
    points = found_points(outputs.landmarks, image, detections, timings)
    outputs.write_drawing(result, image, detections, points)
    outputs.write_beside(result, image, detections, source=source)
    objects = summary(Counter(detections.class_ids.tolist()), predictor.class_names)
    print(f"{source.name}: {objects}; {milliseconds(timings)} -> {result}")
    HEARTBEAT.heard()
    if note := limit_note(len(detections), predictor):
        print(f"{source.name}: {note}")
    found.add(with_points(detections.records(source.name), points))
