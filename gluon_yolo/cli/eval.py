"""``eval``: score a model on a data set."""

from __future__ import annotations

import argparse
import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.cli import eval_data
from gluon_yolo.cli.eval_data import open_data, with_own_data
from gluon_yolo.cli.flags.data import classes_of
from gluon_yolo.cli.flags.model import add_model_arguments, model_files, open_predictor
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import check_outputs, make_folder, saying, write_file
from gluon_yolo.data.classes.mapping import ClassMap
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import draw
from gluon_yolo.evaluation.batch_trial import check_batch
from gluon_yolo.evaluation.coco_ap import COCOMetric, is_counted
from gluon_yolo.evaluation.evaluate import Watch, evaluate
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.evaluation.table import class_table, coco_table, f1_line, f1_table
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.nms import LEAST_SCORE, SHOWN_SCORE
from gluon_yolo.text import counted
from gluon_yolo.training.out_of_memory import explained
from gluon_yolo.visualize.grid import image_grid, write_image

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor

log = logging.getLogger("gluon_yolo")

HELP = """\
Score a model (a run, an exported model, or a network with weights) on the validation pictures of a data set:
average precision per class as Pascal VOC counts it, both ways, COCO's twelve numbers, and precision, recall
and F1 at the score from which demo shows what it finds. A run that is given no data set is scored on its own
validation part.

  gluon-yolo eval --model runs/cells
  gluon-yolo eval --model runs/cells --data BCCD --val-split test
  gluon-yolo eval --model exported --annotations instances_val2017.json --images val2017 --json scores.json
  gluon-yolo eval --network yolo3_mobilenet1.0_voc --weights FILE.params --dataset voc
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``eval`` takes."""
    add_model_arguments(parser, score_threshold=LEAST_SCORE)
    eval_data.add_arguments(parser)
    batch_help = "pictures at once; more may be quicker, and take more memory (default: %(default)s)"
    parser.add_argument(
        "--batch-size", type=int, action=Within, least=1, default=8, metavar="B", help=batch_help
    )
    workers_help = "threads that read pictures (default: %(default)s)"
    parser.add_argument(
        "-j", "--workers", type=int, action=Within, least=0, default=2, metavar="N", help=workers_help
    )
    shown_help = (
        "score above which detections count for precision, recall and F1, and are seen in --save-pictures; "
        "--score-threshold where that is higher (default: %(default)s, demo's)"
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
    images_help = "write the pictures, the truth on the left and what was found on the right"
    parser.add_argument("--save-pictures", metavar="DIR", help=images_help)


def run(args: argparse.Namespace) -> int:
    """Load, score, print."""
    read = {**model_files(args), "--annotations": args.annotations}
    check_outputs({"--json": args.json}, {"--save-pictures": args.save_pictures}, read)
    shown: list[Path] = []
    limited: list[float] = []
    args.shown_threshold = max(args.shown_threshold, args.score_threshold)
    with saying(lambda: f"eval; no scores are written{_so_far(args, shown)}"):
        named = with_own_data(args)
        predictor = open_predictor(args)
        dataset = open_data(named)
        spellings = classes_of(named).spellings
        renumbered = ClassMap(predictor.class_names, dataset, args.model or args.network, spellings)

        def detect(images: np.ndarray) -> list[Detections]:
            found = predictor.detect_batch(images)
            limited.extend(score for score in predictor.left_out if score > 0)
            return [renumbered(one) for one in found]

        with explained(lambda: f"--batch-size {args.batch_size}: out of memory; give a smaller one"):
            if args.gpu is None:
                beside = _held_beside(args, dataset, predictor)
                batch = min(args.batch_size, len(dataset))
                check_batch(predictor.detect_batch, predictor.size_hw, batch, beside)
            numbers = evaluate(
                detect,
                dataset,
                predictor.size_hw,
                args.batch_size,
                _metrics(dataset, args),
                workers=args.workers,
                fit=predictor.fit,
                progress=True,
                watch=_saver(args, dataset, shown) if args.save_pictures else None,
            )
    if args.json:
        _write_json(Path(args.json), {**_about(args, predictor, dataset), **numbers})
    tables = [class_table(numbers), *([coco_table(numbers)] if "AP" in numbers else []), f1_table(numbers)]
    print(*tables, sep="\n\n", end="\n\n")
    if limited:
        print(_limit_said(limited, predictor))
    height, width = predictor.size_hw
    speed = f"{numbers['seconds']:.1f} s, {numbers['pictures_per_second']:.1f} a second"
    images = counted(numbers["pictures"], "picture")
    print(f"{images} in {speed}, input {height}x{width}, runtime {predictor.runtime}")
    print(f1_line(numbers))
    print(headline(numbers))
    if dataset.report.boxes <= dataset.report.difficult:
        log.warning("%s: no object to find in any picture, so no score means anything", dataset.report.title)
    places = {"scores": args.json, "pictures": args.save_pictures}
    written = [f"the {what} are in {place}" for what, place in places.items() if place]
    if written:
        print("; ".join(written))
    return 0


def _held_beside(args: argparse.Namespace, dataset: Dataset, predictor: Predictor) -> float:
    """Return the bytes that an image takes beside the network: fitted, and as read where it is drawn."""
    fitted = 4 * 3 * math.prod(predictor.size_hw)
    if not args.save_pictures:
        return fitted
    return fitted + 2 * 3 * max(math.prod(dataset.size_hw(index)) for index in range(len(dataset)))


def headline(numbers: dict[str, Any]) -> str:
    """Return the four means in one line; the two of VOC where COCO's are not there."""
    names = {
        "VOC07_mAP50": "VOC07 mAP50",
        "VOC_mAP50": "VOC mAP50",
        "AP": "COCO AP",
        "AP50": "COCO AP50",
    }
    return "  ".join(f"{name} {numbers[key]:.4f}" for key, name in names.items() if key in numbers)


def _limit_said(limited: list[float], predictor: Predictor) -> str:
    """Say in how many images a limit cut something off, and how good that was at most."""
    return (
        f"in {counted(len(limited), 'picture')} --max-detections {predictor.max_detections} cut off "
        f"detections, which score {max(limited):.3f} at most"
    )


def _metrics(dataset: Dataset, args: argparse.Namespace) -> list[Metric]:
    """Return what is to be computed; without COCO's numbers, which is said, where pycocotools is missing."""
    shares = F1Metric(dataset.class_names, args.shown_threshold, args.score_threshold)
    metrics: list[Metric] = [VOCMetric(dataset.class_names), shares]
    if is_counted():
        metrics.append(COCOMetric.from_dataset(dataset))
    else:
        log.warning("COCO's numbers are left out, since they need pycocotools: pip install pycocotools")
    return metrics


def _so_far(args: argparse.Namespace, shown: list[Path]) -> str:
    """Say which images a stopped run leaves."""
    return f"; {len(shown)} of the pictures are in {args.save_pictures}" if shown else ""


def _saver(args: argparse.Namespace, dataset: Dataset, shown: list[Path]) -> Watch:
    """Return what writes each image with its truth on the left and what was found on the right.

    Args:
        args: name the folder, which is made when absent, as the first is written.
        dataset: has the images.
        shown: gets the path of each that was written.
    """
    folder = Path(args.save_pictures)

    def save(index: int, image: np.ndarray, predicted: Detections) -> None:
        truth = draw(image, dataset.annotations(index), dataset.class_names)
        found = draw(image, predicted, dataset.class_names, score_threshold=args.shown_threshold)
        stem = Path(dataset.name(index)).stem
        if not shown:
            make_folder("--save-pictures", folder)
        path = folder / f"{index:05d}_{stem}.jpg"
        write_image(path, image_grid([truth, found], cell_hw=image.shape[:2]))
        shown.append(path)

    return save


def _about(args: argparse.Namespace, predictor: Predictor, dataset: Dataset) -> dict[str, Any]:
    """Return what the numbers are about."""
    return {
        "model": args.model or f"{args.network} {args.weights}",
        "data": dataset.report.title,
        "size_hw": list(predictor.size_hw),
        "runtime": predictor.runtime,
        "score_threshold": args.score_threshold,
        "nms_threshold": args.nms_threshold,
        "nms": predictor.nms,
        "max_detections": predictor.max_detections,
    }


def _write_json(path: Path, numbers: dict[str, Any]) -> None:
    """Write the numbers, null for those that do not exist (NaN, or COCO's -1)."""
    write_file("--json", path, json.dumps(_plain(numbers), indent=2, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, float) and (math.isnan(value) or value < 0):
        return None
    return value
