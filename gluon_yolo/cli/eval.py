"""``eval``: score a model on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from gluon_yolo.api.evaluate import evaluate
from gluon_yolo.api.evaluation_data import EvaluationData
from gluon_yolo.cli.calling import flag_of
from gluon_yolo.cli.flags.data import add_data_arguments
from gluon_yolo.cli.flags.model import add_model_arguments, model_files, open_predictor
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import saying
from gluon_yolo.cli.flags.tiles import add_tile_arguments
from gluon_yolo.evaluation.wider.ground_truth import check_folder
from gluon_yolo.nms import LEAST_SCORE, SHOWN_SCORE
from gluon_yolo.outputs import check_outputs, make_folder, write_file
from gluon_yolo.report.page import require_packages

HELP = """\
Score a model (a run, an exported model, or a network with weights) on the validation pictures of a data set:
average precision per class as Pascal VOC counts it, both ways, COCO's twelve numbers, precision, recall and
F1 at a score of 0.3, the confusion matrix, and what each kind of error costs. A run that is given no data set
is scored on its own validation part.

  gluon-yolo eval --model runs/cells
  gluon-yolo eval --model runs/cells --data BCCD --val-split test
  gluon-yolo eval --model exported --annotations instances_val2017.json --images val2017 --json scores.json
  gluon-yolo eval --network yolo3_mobilenet1.0_voc --weights FILE.params --dataset voc
  gluon-yolo eval --model runs/drone --data aerial --tile 640 --max-detections 500
  gluon-yolo eval --model runs/faces --data widerface --wider-ground-truth widerface/ground_truth
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``eval``."""
    add_model_arguments(parser, score_threshold=LEAST_SCORE)
    add_tile_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument("--annotations", metavar="FILE", help="a COCO annotation file, with --images")
    parser.add_argument("--images", metavar="DIR", help="the folder of its pictures")
    batch_help = "pictures or tiles at once; more may be quicker, and take more memory (default: %(default)s)"
    parser.add_argument(
        "--batch-size", type=int, action=Within, least=1, default=8, metavar="B", help=batch_help
    )
    workers_help = "threads that read pictures (default: %(default)s)"
    parser.add_argument(
        "-j", "--workers", type=int, action=Within, least=0, default=2, metavar="N", help=workers_help
    )
    shown_help = (
        "score above which detections count for precision, recall and F1, and are seen in --save-pictures; "
        "--score-threshold where that is higher (default: %(default)s)"
    )
    parser.add_argument(
        "--shown-threshold",
        type=float,
        action=Within,
        least=0,
        most=1,
        default=SHOWN_SCORE,
        metavar="S",
        help=shown_help,
    )
    parser.add_argument("--json", metavar="FILE", help="write all numbers to this file")
    detections_help = "write all detections to this file, in the form of COCO's results (results.json)"
    parser.add_argument("--save-detections", metavar="FILE", help=detections_help)
    truth_help = (
        "folder with the four official .mat files, for WIDER FACE's Easy, Medium and Hard (default: for its "
        "data, approximated by the height of faces)"
    )
    parser.add_argument("--wider-ground-truth", metavar="DIR", help=truth_help)
    predictions_help = (
        "write EVENT/NAME.txt for each picture, as WIDER FACE's official tools read it; files of this form "
        "that an earlier run left there for other pictures are removed"
    )
    parser.add_argument("--save-predictions", metavar="DIR", help=predictions_help)
    report_help = (
        "write a page for a browser: curves of precision and recall, confusion, kinds of errors, the worst "
        "and the best pictures; one file, which needs no network"
    )
    parser.add_argument("--report", metavar="FILE", help=report_help)
    images_help = "write the pictures, the truth on the left and what was found on the right"
    parser.add_argument("--save-pictures", metavar="DIR", help=images_help)


def run(args: argparse.Namespace) -> int:
    """Score the model and print the numbers."""
    read = {**model_files(args), "--annotations": args.annotations}
    files = {"--json": args.json, "--save-detections": args.save_detections, "--report": args.report}
    folders = {"--save-pictures": args.save_pictures, "--save-predictions": args.save_predictions}
    check_outputs(files, folders, read)
    if args.wider_ground_truth:
        check_folder(args.wider_ground_truth)
    if args.report:
        require_packages()
    shown: list[int] = []
    with saying(lambda: f"eval; no scores are written{_so_far(args, shown)}"):
        data = EvaluationData.of(vars(args)).or_of_run(args.model)
        predictor = open_predictor(args).replace(name=args.model or args.network)
        evaluation = evaluate(
            predictor,
            data,
            score_threshold=args.score_threshold,
            batch_size=args.batch_size,
            workers=args.workers,
            shown_threshold=args.shown_threshold,
            save_images=args.save_pictures,
            save_detections=args.save_detections,
            max_detections=args.max_detections,
            max_candidates=args.max_candidates,
            wider_ground_truth=args.wider_ground_truth,
            save_predictions=args.save_predictions,
            watch=(lambda index, *_: shown.append(index)) if args.save_pictures else None,
        )
    evaluation.numbers["model"] = args.model or f"{args.network} {args.weights}"
    if args.json:
        write_file("--json", Path(args.json), evaluation.to_json())
    if args.report:
        make_folder("--report", Path(args.report).parent)
        evaluation.report(args.report)
    print(evaluation.text(flag_of))
    places = {"scores": args.json, "pictures": args.save_pictures, "detections": args.save_detections}
    places["predictions"] = args.save_predictions
    written = [f"the {what} are in {place}" for what, place in places.items() if place]
    if args.report:
        written.append(f"the report is in {args.report}")
    if written:
        print("; ".join(written))
    return 0


def _so_far(args: argparse.Namespace, shown: list[int]) -> str:
    """Return text on the images that a stopped run leaves."""
    return f"; {len(shown)} of the pictures are in {args.save_pictures}" if shown else ""
