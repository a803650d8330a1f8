"""The images that ``eval`` scores on: those that its flags name, else a run's own validation part."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any

from gluon_yolo.cli.flags.data import add_data_arguments, classes_of, log_reports, open_datasets
from gluon_yolo.data.classes.select import select
from gluon_yolo.data.coco.dataset import open_coco
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import UserError, extended
from gluon_yolo.inference.model_record import ModelRecord, find_model_record

log = logging.getLogger("gluon_yolo")

ARGS = "args.json"
_ADVICE = "name the data to score on with --data PATH"
NAMED_BY = ("data", "dataset", "data_root", "annotations", "images")  # flags that name the data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name the data."""
    add_data_arguments(parser)
    parser.add_argument("--annotations", metavar="FILE", help="a COCO annotation file, with --images")
    parser.add_argument("--images", metavar="DIR", help="the folder of its pictures")


def with_own_data(args: argparse.Namespace) -> argparse.Namespace:
    """Return flags that name the data to score on: those that are given, or what a run was validated on.

    Args:
        args: parsed with the flags of :func:`add_arguments`, and ``--model``. Where none of them names data,
            and the model is a run's, the run's own flags do; what is given beside them counts more.

    Raises:
        UserError: the run's data is gone.
    """
    run = None if any(getattr(args, name) for name in NAMED_BY) else _run_of(args.model)
    if run is None:
        return argparse.Namespace(**vars(args), run=None)
    from gluon_yolo.training.run_dir import RunFolder

    flags = _data_flags(RunFolder(run).args())
    place = flags.get("data") or flags.get("data_root")
    if place and not os.path.exists(place):
        split = f", split {flags['val_split']}" if flags.get("val_split") else ""
        raise UserError(f"{run}: was validated on {place}{split}, and there is nothing now; {_ADVICE}")
    given = {name: value for name, value in vars(args).items() if value not in (None, False)}
    return argparse.Namespace(**{**vars(args), **flags, **given, "run": run})


def open_data(args: argparse.Namespace) -> Dataset:
    """Open the images to score on.

    Args:
        args: as :func:`with_own_data` returns them.

    Raises:
        UserError: when they do not name any, or these are broken.
    """
    if args.annotations or args.images:
        dataset = _open_files(args)
    else:
        try:
            _, dataset, _ = open_datasets(args, need_train=False)
        except UserError as error:
            if args.run is None:
                raise
            raise extended(error, f". It is what {args.run} was validated on; {_ADVICE}") from error
    if args.run is not None:
        log.info("no --data is given: scored on what the run was validated on, %s", dataset.report.title)
    log_reports(None, dataset)
    return dataset


def _open_files(args: argparse.Namespace) -> Dataset:
    """Open COCO's annotations and images that are named each by itself."""
    if not (args.annotations and args.images):
        raise UserError("--annotations FILE and --images DIR go together")
    if args.data or args.data_root or args.val_split:
        raise UserError("name the data once: --annotations and --images, or --data and --val-split")
    return select(open_coco(args.annotations, args.images, skip_bad=args.skip_bad), classes_of(args))


def _run_of(model: str | None) -> Path | None:
    """Return the folder of the run that a model is of; None where it is of none that was trained here."""
    if model is None:
        return None
    try:
        file = find_model_record(Path(model))
        trained = ModelRecord.read(file).is_run and (file.parent / ARGS).is_file()
    except UserError:  # which is said when the model is loaded
        return None
    return file.parent if trained else None


def _data_flags(kept: dict[str, Any]) -> dict[str, Any]:
    """Return those of a run's flags that name its data."""
    parser = argparse.ArgumentParser(add_help=False)
    add_data_arguments(parser)
    return {action.dest: kept[action.dest] for action in parser._actions if action.dest in kept}
