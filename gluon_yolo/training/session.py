"""Session: one training, from its plan to its result."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from gluon_yolo.data.opening import log_reports
from gluon_yolo.errors import SettingError, SettingText, blamed
from gluon_yolo.evaluation.validation import Validation
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system import run_note
from gluon_yolo.training.callbacks.built_in import check_packages
from gluon_yolo.training.callbacks.callback_list import check_callbacks
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.data_parallel import check_batch_size
from gluon_yolo.training.freeze import freeze, frozen_at_random, random_warnings
from gluon_yolo.training.learnable import Learnable
from gluon_yolo.training.length import keep_length
from gluon_yolo.training.memory_fit import Fitted, fitted
from gluon_yolo.training.out_of_memory import explained, too_large
from gluon_yolo.training.plan import plan
from gluon_yolo.training.prepare import (
    new_folder,
    settled_anchors,
    validation_of,
)
from gluon_yolo.training.resumed import record_of
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.run_log import log_result, log_start, recording
from gluon_yolo.training.run_plan import Plan
from gluon_yolo.training.setup import Origin, anchor_lines, build_network, load_starting_weights
from gluon_yolo.training.start import Start, find_again, find_start
from gluon_yolo.training.teacher import Teacher, keep_teacher, open_teacher
from gluon_yolo.training.trainer import Trainer
from gluon_yolo.training.update_lines import update_lines

log = logging.getLogger("gluon_yolo")


@dataclasses.dataclass(frozen=True)
class _Ready:
    """A training that passed all checks and has a run folder.

    Args:
        config: of the run on its network.
        net: with its starting weights.
        origin: of the starting weights.
        folder: of the run.
        validation: computes the score that compares epochs.
        learnable: the objects of the training images.
        teacher: of the network; None is none.
        lines: for the log.
        warnings: for the log.
    """

    config: TrainConfig
    net: DetectionNetwork
    origin: Origin
    folder: RunFolder
    validation: Validation
    learnable: Learnable
    teacher: Teacher | None
    lines: Sequence[str | SettingText]
    warnings: Sequence[str | SettingText]


def run(run_plan: Plan, callbacks: Sequence[Any] = ()) -> tuple[Trainer, dict[str, Any] | None]:
    """Train.

    Args:
        run_plan: the parts of the training.
        callbacks: the user's own, as :class:`gluon_yolo.training.trainer.Trainer` takes them.

    Returns:
        The trainer, and the numbers of the last validation; None if the training is stopped early.

    Raises:
        UserError: a part of the training cannot be used. Most of these errors come before the run folder is
            made.
    """
    check_callbacks(callbacks)
    with blamed(run_plan.places):
        ready = _ready(run_plan)
        processes = run_plan.processes
        # Of processes that were started again, it is known better why their run was killed.
        is_again = processes.member is not None and bool(processes.member.fault)
        story = "" if is_again else run_note.story(ready.folder.path)
        processes.announce(ready.folder.path)
        with recording(ready.folder) if processes.is_first else contextlib.nullcontext():
            _log_beginning(run_plan, ready, story)
            if processes.is_first:
                ready.folder.remove_parts()
            train_data, val_data, _ = run_plan.data
            trainer = Trainer(
                ready.config,
                ready.net,
                train_data,
                ready.validation,
                ready.folder,
                run_plan.choice.devices,
                callbacks=callbacks,
                processes=processes,
                teacher=ready.teacher,
            )
            log.info("%s", plan(ready.config, trainer.batches, len(train_data), len(val_data)))
            if run_plan.goes_on:
                assert run_plan.resumed is not None
                trainer.resume()
                if processes.is_first:
                    keep_length(run_plan.resumed, run_plan.args)
            elif (
                run_plan.resumed and processes.is_first
            ):  # a killed run may have written a row of its first epoch
                ready.folder.metrics.keep_before(ready.config.start_epoch)
            with explained(lambda: _too_large(trainer)):
                numbers = trainer.run()
            if numbers is not None:
                log_result(trainer, numbers)
    return trainer, numbers


def _too_large(trainer: Trainer) -> str:
    """Return the message of a training that ran out of memory."""
    devices = trainer.step.devices
    what, advice = too_large(trainer.config, devices, len(devices) * trainer.processes.share.world)
    return f"{trainer.failed(what)}. {advice}"


def _ready(run_plan: Plan) -> _Ready:
    """Do everything that can fail because of the user's input, then make the run folder."""
    args, architecture, choice = run_plan.args, run_plan.architecture, run_plan.choice
    train_data, val_data, class_names = run_plan.data
    workers = run_plan.processes.part_of(args["num_workers"])
    is_auto, count = args["batch_size"] == "auto", len(choice.devices)
    asked = dataclasses.replace(TrainConfig.from_plain(args), engine=choice.engine, num_workers=workers)
    config = asked.for_network(architecture.name, architecture.spec.num_levels)
    check_packages(config)
    learnable = Learnable(train_data, config, architecture.spec.max_stride)
    learnable.refuse()
    config, found = settled_anchors(asked.anchors, config, architecture, train_data)
    if not is_auto:
        check_batch_size(config.batch_size, count)
    validation = validation_of(val_data, config, run_plan.resumed if run_plan.goes_on else None)
    start = _start(run_plan, config)
    net = build_network(architecture, config, class_names, choice.contexts, start.form)
    frozen = freeze(net, config.frozen)
    teacher = open_teacher(config, net.spec, run_plan.resumed)
    # Of several hosts, none knows the memory of the others.
    is_checked = run_plan.processes.hosts == 1
    if is_auto and not is_checked:
        raise SettingError("{batch_size} auto: no host knows the memory of the others; give a number")
    checked = (net, choice.devices, run_plan.data[:2], run_plan.own, run_plan.resumed)
    teachers_net = teacher.block.net if teacher else None
    fit = fitted(config, *checked, teachers_net) if is_checked else Fitted(config)
    batch = run_plan.processes.first_says("batch", fit.config.batch_size)  # memory differs from look to look
    config = dataclasses.replace(fit.config, batch_size=batch)
    origin = (
        Origin(f"weights: those of {run_plan.resumed.path}")
        if run_plan.resumed is not None and (run_plan.goes_on or not run_plan.processes.is_first)
        else load_starting_weights(net, config, start)
    )
    random = frozen_at_random(net, origin.fresh)
    folder = run_plan.resumed or new_folder(args, config, net)
    if not run_plan.resumed:
        folder.write_data(record_of(run_plan.data[:2]))
    if teacher:
        keep_teacher(folder, teacher, args)
    taught = [teacher.line] if teacher else []
    lines = (*frozen, *taught, *run_plan.taken, *fit.lines, *found, *update_lines(config))
    warnings = (
        *run_plan.doubts,
        *fit.warnings,
        *random_warnings(random, config.freeze, run_plan.places.get("freeze")),
    )
    return _Ready(config, net, origin, folder, validation, learnable, teacher, lines, warnings)


def _start(run_plan: Plan, config: TrainConfig) -> Start:
    """Return where the run's weights begin; the first of several processes sends its own to the others."""
    name, resumed = run_plan.architecture.name, run_plan.resumed
    if resumed is None:
        return find_start(name, config)
    form = DetectionSpec.from_dict(resumed.model()["spec"]).backbone
    given = run_plan.goes_on or not run_plan.processes.is_first
    return Start(form=form) if given else find_again(name, config, form)


def _log_beginning(run_plan: Plan, ready: _Ready, story: str) -> None:
    """Log the run's description, the settings that come from files, and the warnings."""
    folder, (train_data, val_data, _) = ready.folder, run_plan.data
    devices = list(map(str, run_plan.choice.devices))
    log_start(folder, ready.config, ready.net, devices, ready.origin.line)
    if processes := run_plan.processes.described():
        log.info("%s", processes)
    if run_plan.choice.line:
        log.info("%s", run_plan.choice.line)
    if story:
        log.warning("%s: %s; %s", folder.path, story, "it goes on" if run_plan.goes_on else "it begins anew")
    elif run_plan.resumed and not run_plan.goes_on:
        log.warning("%s: has no checkpoint yet; it begins anew", folder.path)
    for line in ready.lines:
        log.info("%s", line)
    for line in ready.warnings:
        log.warning("%s", line)
    log_reports(train_data, val_data)
    for line in anchor_lines(ready.net.spec, train_data, ready.config):
        log.info("%s", line)
    if crowded := ready.validation.crowded():
        log.warning("%s", crowded)
    ready.learnable.warn()
