"""``eval``: score a model on a data set."""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.cli.data_flags import add_data_arguments, classes_of, log_reports, open_datasets
from gluon_yolo.cli.model_flags import add_model_arguments, model_files, open_predictor
from gluon_yolo.cli.number_flags import Within
from gluon_yolo.cli.outputs import check_outputs, make_folder, write_file
from gluon_yolo.cli.stopped import saying
from gluon_yolo.data.class_map import ClassMap
from gluon_yolo.data.coco.dataset import open_coco
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.selection import select
from gluon_yolo.engine.evaluate import Watch, evaluate
from gluon_yolo.errors import UserError
from gluon_yolo.metrics import Metric
from gluon_yolo.metrics.coco_ap import COCOMetric
from gluon_yolo.metrics.table import class_table, coco_table
from gluon_yolo.metrics.voc_ap import VOCMetric
from gluon_yolo.structures import Detections
from gluon_yolo.visualize import draw, sheet, write_picture

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor

log = logging.getLogger("gluon_yolo")

HELP = """\
Score a model (a run, an exported model, or a network with weights) on the validation pictures of a data set:
average precision per class as Pascal VOC counts it, both ways, and COCO's twelve numbers.

  gluon-yolo eval --model runs/cells --data BCCD --val-split test
  gluon-yolo eval --model exported --annotations instances_val2017.json --images val2017 --json scores.json
  gluon-yolo eval --network yolo3_mobilenet1.0_voc --weights FILE.params --dataset voc
"""
SHOWN_FROM = 0.3  # pictures show detections from this score on; the others only serve the curves


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``eval`` takes."""
    add_model_arguments(parser, score_threshold=0.01)
    add_data_arguments(parser)
    parser.add_argument("--annotations", metavar="FILE", help="a COCO annotation file, with --images")
    parser.add_argument("--images", metavar="DIR", help="the folder of its pictures")
    batch_help = "(default: %(default)s)"
    parser.add_argument(
        "--batch-size", type=int, action=Within, least=1, default=8, metavar="B", help=batch_help
    )
    workers_help = "threads that read pictures (default: %(default)s)"
    parser.add_argument(
        "-j", "--workers", type=int, action=Within, least=0, default=2, metavar="N", help=workers_help
    )
    parser.add_argument("--json", metavar="FILE", help="write all numbers to this file")
    pictures_help = "write the pictures, the truth on the left and what was found on the right"
    parser.add_argument("--save-pictures", metavar="DIR", help=pictures_help)


def run(args: argparse.Namespace) -> int:
    """Load, score, print."""
    read = {**model_files(args), "--annotations": args.annotations}
    check_outputs({"--json": args.json}, {"--save-pictures": args.save_pictures}, read)
    shown: list[Path] = []
    with saying(lambda: f"eval; no scores are written{_so_far(args, shown)}"):
        predictor = open_predictor(args)
        dataset = _open_data(args)
        spellings = classes_of(args).spellings
        renumbered = ClassMap(predictor.class_names, dataset, args.model or args.network, spellings)

        def detect(pictures: np.ndarray) -> list[Detections]:
            return [renumbered(found) for found in predictor.detect_batch(pictures)]

        numbers = evaluate(
            detect,
            dataset,
            predictor.size_hw,
            args.batch_size,
            _metrics(dataset),
            workers=args.workers,
            fit=predictor.fit,
            progress=True,
            watch=_saver(Path(args.save_pictures), dataset, shown) if args.save_pictures else None,
        )
    if args.json:
        _write_json(Path(args.json), {**_about(args, predictor, dataset), **numbers})
    print(class_table(numbers), *([coco_table(numbers)] if "AP" in numbers else []), sep="\n\n", end="\n\n")
    height, width = predictor.size_hw
    speed = f"{numbers['seconds']:.1f} s, {numbers['pictures_per_second']:.1f} a second"
    print(f"{numbers['pictures']} pictures in {speed}, input {height}x{width}, runtime {predictor.runtime}")
    print(headline(numbers))
    places = {"scores": args.json, "pictures": args.save_pictures}
    written = [f"the {what} are in {place}" for what, place in places.items() if place]
    if written:
        print("; ".join(written))
    return 0


def headline(numbers: dict[str, Any]) -> str:
    """Return the four means in one line; the two of VOC where COCO's are not there."""
    names = {
        "VOC07_mAP50": "VOC07 mAP50",
        "VOC_mAP50": "VOC mAP50",
        "AP": "COCO AP",
        "AP50": "COCO AP50",
    }
    return "  ".join(f"{name} {numbers[key]:.4f}" for key, name in names.items() if key in numbers)


def _metrics(dataset: Dataset) -> list[Metric]:
    """Return what is to be computed; without COCO's numbers, which is said, where pycocotools is missing."""
    metrics: list[Metric] = [VOCMetric(dataset.class_names)]
    if importlib.util.find_spec("pycocotools"):
        metrics.append(COCOMetric.from_dataset(dataset))
    else:
        log.warning("COCO's numbers are left out, since they need pycocotools: pip install pycocotools")
    return metrics


def _open_data(args: argparse.Namespace) -> Dataset:
    """Open the pictures to score on.

    Raises:
        UserError: when the arguments do not name them, or they are broken.
    """
    if not (args.annotations or args.images):
        _, dataset, _ = open_datasets(args, need_train=False)
        log_reports(None, dataset)
        return dataset
    if not (args.annotations and args.images):
        raise UserError("--annotations FILE and --images DIR go together")
    if args.data or args.data_root or args.val_split:
        raise UserError("name the data once: --annotations and --images, or --data and --val-split")
    dataset = select(open_coco(args.annotations, args.images, skip_bad=args.skip_bad), classes_of(args))
    log_reports(None, dataset)
    return dataset


def _so_far(args: argparse.Namespace, shown: list[Path]) -> str:
    """Say which pictures a stopped run leaves."""
    return f"; {len(shown)} of the pictures are in {args.save_pictures}" if shown else ""


def _saver(folder: Path, dataset: Dataset, shown: list[Path]) -> Watch:
    """Return what writes each picture with its truth on the left and what was found on the right.

    Args:
        folder: to write to; made when absent, as the first is written.
        dataset: has the pictures.
        shown: gets the path of each that was written.
    """

    def save(index: int, picture: np.ndarray, predicted: Detections) -> None:
        truth = draw(picture, dataset.truth(index), dataset.class_names)
        found = draw(picture, predicted, dataset.class_names, score_threshold=SHOWN_FROM)
        stem = Path(dataset.name(index)).stem
        if not shown:
            make_folder("--save-pictures", folder)
        path = folder / f"{index:05d}_{stem}.jpg"
        write_picture(path, sheet([truth, found], cell_hw=picture.shape[:2]))
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
