"""The command ``train``."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.finished import say_finished
from gluon_yolo.cli.flags.data import log_reports, open_datasets, source_of
from gluon_yolo.cli.flags.places import Places, blamed, places_of
from gluon_yolo.cli.flags.train import ANCHOR_WORDS, DEFAULTS, Flags, add_train_arguments
from gluon_yolo.cli.resumed_data import open_resumed, record_of
from gluon_yolo.cli.run_name import name_of_run
from gluon_yolo.cli.train_flags import (
    decided_flags,
    flag_words,
    fresh_flags,
    given_flags,
    resumed_flags,
    settings_of,
)
from gluon_yolo.cli.train_log import log_result, log_start, logging_to
from gluon_yolo.cli.train_memory import cpu_defaults, fitted
from gluon_yolo.errors import UserError
from gluon_yolo.system import cpu, run_note

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset
    from gluon_yolo.evaluation.validation import Validation
    from gluon_yolo.models.build import Architecture
    from gluon_yolo.models.detector import DetectionNetwork
    from gluon_yolo.training.config import TrainConfig
    from gluon_yolo.training.run_dir import RunFolder

log = logging.getLogger("gluon_yolo")

HELP = """\
Train a detector on pictures and boxes, validate it after every epoch, and keep everything in runs/NAME.

Your own pictures, in Pascal VOC's XML, COCO's JSON, YOLO's text, RecordIO or keras-yolo3's list, on this
machine (its first GPU, else its CPU). See first what is in them:
  gluon-yolo data check my_data
  gluon-yolo train --data my_data --recipe small-data

A network for phones, from darknet's weights; its classes become those of the data:
  gluon-yolo train --data my_data --recipe small-data --network nano.cfg --weights nano.weights

Ctrl-C and SIGTERM save. Go on with what was stopped or killed:
  gluon-yolo train --resume runs/NAME

As published for VOC and COCO, on eight GPUs:
  gluon-yolo train --network mobilenet1_0 --dataset voc --gpus 0,1,2,3,4,5,6,7 \\
      --batch-size 64 -j 16 --lr-decay-epoch 160,180 --epochs 200 --syncbn --warmup-epochs 4
  gluon-yolo train --network mobilenet1_0 --dataset coco --gpus 0,1,2,3,4,5,6,7 \\
      --batch-size 64 -j 32 --lr-decay-epoch 220,250 --epochs 280 --syncbn --warmup-epochs 2 \\
      --mixup --no-mixup-epochs 20 --label-smooth --no-wd
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``train`` takes."""
    add_train_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train; print where the results are. A run that a signal stopped gives 128 and the signal's number."""
    from gluon_yolo.training.run_dir import RunFolder

    given = given_flags(args)
    if "resume" not in given or given["resume"].endswith(".params"):
        return _train_anew(given)
    folder = RunFolder.open(given["resume"])
    if run_note.going_on(folder.path):
        raise UserError(f"{folder.path}: {run_note.story(folder.path)}; wait for it, or stop it")
    flags = resumed_flags(given, folder.args())
    if not folder.is_fresh() and _is_finished(folder, flags):
        return 0
    contexts = _contexts(flags)
    data, moved, doubts = open_resumed(folder, flags)
    architecture = _architecture(flags, data[2], folder)
    return _train(flags, contexts, architecture, data, moved, doubts, resumed=folder)


def _train_anew(given: Flags) -> int:
    """Train a new run; what its data's and its network's own files say of training are its defaults."""
    source = source_of(argparse.Namespace(**fresh_flags(given)))
    from_data = source.settings()
    flags = fresh_flags(given, from_data)
    contexts = _contexts(flags)
    data = open_datasets(argparse.Namespace(**flags), source=source)
    architecture = _architecture(flags, data[2])
    decided = decided_flags(given, from_data)
    from_network = architecture.training_flags(len(data[0]), decided)
    own = cpu_defaults(contexts, {**from_network, **decided})
    flags = fresh_flags(given, from_data, {**own, **from_network})
    from_network = {name: value for name, value in from_network.items() if value != DEFAULTS[name]}
    taken = [
        f"settings of {place}: {flag_words(used)}; flags that are given count more"
        for place, its in ((flags["data"], from_data), (flags["network"], from_network))
        if (used := {name: its[name] for name in its if name not in given and flags[name] == its[name]})
    ]
    doubts = architecture.doubts(len(data[0]), decided)
    places = places_of(given, source, architecture, from_data, from_network)
    with blamed(places):
        return _train(flags, contexts, architecture, data, taken, doubts, own, places=places)


def _is_finished(folder: RunFolder, flags: Flags) -> bool:
    """Say whether a run has no epoch left to train, and if so tell the user.

    Raises:
        UserError: when its checkpoint is missing or damaged.
    """
    from gluon_yolo.training.checkpoint import Checkpoint

    progress = Checkpoint(folder.weights).read()
    if progress.epoch < flags["epochs"]:
        return False
    say_finished(folder, flags, progress)
    return True


def _architecture(
    flags: Flags, class_names: tuple[str, ...], resumed: RunFolder | None = None
) -> Architecture:
    """Return what builds the run's network; a run that goes on has it in its folder."""
    from gluon_yolo.models import zoo
    from gluon_yolo.models.build import find_architecture

    if resumed:
        return find_architecture(resumed.model()["network"], resumed.path)
    known = [flags["dataset"]] if flags["dataset"] else list(zoo.DATASET_CLASSES)
    usual = [name for name in known if zoo.DATASET_CLASSES[name] == tuple(class_names)]
    return find_architecture(flags["network"], datasets=usual)


def _train(
    flags: Flags,
    contexts: list[Any],
    architecture: Architecture,
    data: tuple[Dataset, Dataset, tuple[str, ...]],
    taken: Sequence[str] = (),
    doubts: Sequence[str] = (),
    own: Flags | None = None,
    resumed: RunFolder | None = None,
    places: Places = MappingProxyType({}),
) -> int:
    """Do all that can be refused before a new run's folder is made; then train."""
    from gluon_yolo.training.data_parallel import check_batch_size
    from gluon_yolo.training.freeze import freeze, frozen_at_random
    from gluon_yolo.training.learnable import Learnable
    from gluon_yolo.training.out_of_memory import explained
    from gluon_yolo.training.plan import plan
    from gluon_yolo.training.setup import Origin, anchor_lines, build_network, load_starting_weights
    from gluon_yolo.training.trainer import Trainer

    train_data, val_data, class_names = data
    goes_on = resumed is not None and not resumed.is_fresh()
    settings = settings_of(flags, architecture.name, architecture.spec.num_levels)
    learnable = Learnable(train_data, settings, architecture.spec.max_stride)
    learnable.refuse()
    flags, settings, found = _with_anchors(flags, settings, architecture, train_data)
    check_batch_size(settings.batch_size, len(contexts))
    validation = _validation(val_data, settings, resumed if goes_on else None)
    net = build_network(architecture, settings, class_names, contexts)
    frozen = freeze(net, settings.frozen)
    fit = fitted(flags, settings, net, contexts, data[:2], own or {}, resumed)
    flags, settings = fit.flags, fit.settings
    origin = (
        Origin(f"weights: those of {resumed.path}")
        if resumed is not None and goes_on
        else load_starting_weights(net, settings)
    )
    random = frozen_at_random(net, origin.fresh)
    folder = resumed or _new_folder(flags, settings, net)
    if not resumed:
        folder.write_data(record_of(data[:2]))
    story = run_note.story(folder.path)
    with logging_to(folder), run_note.noted(folder.path, typed):
        log_start(folder, settings, net, contexts, origin.line)
        if story:
            log.warning("%s: %s; %s", folder.path, story, "it goes on" if goes_on else "it begins anew")
        elif resumed and not goes_on:
            log.warning("%s: has no checkpoint yet; it begins anew", folder.path)
        for line in (*frozen, *taken, *fit.lines, *found):
            log.info("%s", line)
        for line in (*doubts, *fit.warnings):
            log.warning("%s", line)
        if random:
            log.warning(
                "%s--freeze %s: %d of the frozen weights are random and stay so (%s, ...): start from a file "
                "that has them, with --weights, or freeze less",
                f"{places['freeze']}: as " if "freeze" in places else "",
                settings.freeze, len(random), random[0],
            )  # fmt: skip
        log_reports(train_data, val_data)
        for line in anchor_lines(net.spec, train_data, settings):
            log.info("%s", line)
        if crowded := validation.crowded():
            log.warning("%s", crowded)
        learnable.warn()
        trainer = Trainer(settings, net, train_data, validation, folder, contexts)
        log.info("%s", plan(settings, trainer.batches, len(train_data), len(val_data)))
        if goes_on:
            trainer.resume()
        elif resumed:
            folder.metrics.keep_before(settings.start_epoch)  # a kill may have left a row of its first epoch
        with explained(trainer.too_large):
            result = trainer.run()
        if result is not None:
            log_result(trainer, result)
            return 0
    return 128 + trainer.stop.asked if trainer.stop.asked else 0


def _with_anchors(
    flags: Flags, settings: TrainConfig, architecture: Architecture, train_data: Dataset
) -> tuple[Flags, TrainConfig, Sequence[str]]:
    """Put anchors in the place of ``--anchors`` words; the run keeps them, and does not find others.

    Returns:
        Flags, settings, and lines for the log.
    """
    from gluon_yolo.data.anchors import format_anchors
    from gluon_yolo.training.setup import better_anchors, found_anchors

    word, lines = flags["anchors"], ()
    if word not in ANCHOR_WORDS:
        return flags, settings, lines
    anchors = found_anchors(architecture, train_data, settings) if word == "auto" else None
    if word == "better" and (better := better_anchors(architecture, train_data, settings)):
        anchors, line = better
        lines = (line,)
    text = format_anchors([anchor for level in anchors for anchor in level]) if anchors else None
    return {**flags, "anchors": text}, dataclasses.replace(settings, anchors=anchors), lines


def _contexts(flags: Flags) -> list[Any]:
    """Return the devices: those that are asked for, or else GPU 0 where it can be used."""
    if flags["cpu_devices"] > 1 and flags["syncbn"]:
        cpu.prepare()  # before mxnet is imported
    from gluon_yolo import mxnet_compat
    from gluon_yolo.training.data_parallel import parse_devices

    gpus = flags["gpus"]
    if gpus is None and not flags["cpu_devices"]:
        try:
            mxnet_compat.check_gpu(0)
            gpus = "0"
        except UserError:
            log.info("training on the CPU: mxnet can use no GPU here; `gluon-yolo doctor` says why")
    return parse_devices(gpus or "", flags["cpu_devices"])


def _validation(val_data: Dataset, settings: TrainConfig, resumed: RunFolder | None = None) -> Validation:
    """Return what validates; a run that goes on compares its epochs by the score that it began with."""
    from gluon_yolo.evaluation.fitness import kind_of, score
    from gluon_yolo.evaluation.validation import Validation
    from gluon_yolo.inference.preprocess import Preprocess
    from gluon_yolo.training.checkpoint import Checkpoint

    kind, asked = settings.val_metric, ""
    if resumed and kind == "auto":
        progress = Checkpoint(resumed.weights).read()
        if progress.score_key or progress.best_score is not None:
            kind = kind_of(progress.score_key, val_data)
            asked = f"{resumed.path}: its epochs are compared by {kind}, which"
    metrics, score_key = score(val_data, kind, asked)
    fit = Preprocess(settings.fit)
    most = settings.max_detections
    return Validation(val_data, metrics, score_key, settings.data_shape, settings.num_workers, fit, most)


def _new_folder(flags: Flags, settings: TrainConfig, net: DetectionNetwork) -> RunFolder:
    """Make a run's folder, with what was asked for and what the network is."""
    from gluon_yolo.inference.model_record import ModelRecord
    from gluon_yolo.training.run_dir import RunFolder

    root, prefix = os.path.split(flags["save_prefix"])
    name = name_of_run(flags, settings.network)
    folder = RunFolder.create(root or ".", prefix + (flags["name"] or settings.network))
    folder.write_args({**flags, "name": name})
    record = ModelRecord(
        name,
        settings.network,
        net.spec,
        settings.data_shape,
        fit=settings.fit,
        max_detections=settings.max_detections,
    )
    folder.write_model(record.to_dict())
    net.keep(folder.path)
    return folder
