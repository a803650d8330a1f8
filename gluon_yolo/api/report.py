"""``gluon_yolo.write_report``: the page of a run, from its files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from gluon_yolo.api.model import Trained, path_of
from gluon_yolo.data.opening import open_datasets
from gluon_yolo.data.request import DataRequest
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_record import RUN_RECORD, ModelRecord
from gluon_yolo.report.labels import LabelStatistics
from gluon_yolo.report.page import Section, Text
from gluon_yolo.report.run import BEING_TRAINED, FAILED, FILE, FINISHED, STOPPED, RunState, run_page
from gluon_yolo.system import run_note
from gluon_yolo.training.config import PLAIN_DEFAULTS, Args
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.state import NOT_A_STATE
from gluon_yolo.training.step_losses import StepLosses

_LOGGED = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ([A-Z]+) (.*)$")


def write_report(
    run: str | os.PathLike[str] | Trained,
    path: str | os.PathLike[str] | None = None,
    *,
    score: bool = False,
    **options: Any,
) -> Path:
    """Write the page of a run: curves, labels, images, settings, and the commands to go on.

    The page is one HTML file and needs no network. It is written from the run's files and from its data, as
    far as that is still there.

    Args:
        run: the folder of a run, or the result of ``train``.
        path: of the page. None takes ``report.html`` in the run's folder.
        score: whether to score the best weights on the validation data: curves of precision and recall, the
            confusion matrix, the kinds of errors, the worst and best images. It takes the time of ``eval``.
        **options: as :func:`gluon_yolo.evaluate` takes them, with ``score``.

    Returns:
        The path of the page.

    Raises:
        UserError: the folder is no run, or the page cannot be written.
        MissingDependency: Bokeh is not installed.

    Example:
        >>> gluon_yolo.write_report("runs/cells-1", "cells.html")
    """
    folder = RunFolder.open(path_of(run))
    target = folder.path / FILE if path is None else Path(path)
    args = folder.args()
    labels, missing = _labels(args)
    evaluation = _scored(folder, options) if score else []
    page = run_page(_state(folder, args), labels, [*evaluation, *missing])
    page.write(target)
    return target


def _state(folder: RunFolder, args: Args) -> RunState:
    """Return what the files of a run say of its training."""
    model = ModelRecord.read(folder.path / RUN_RECORD)
    state, error = _ending(folder, args)
    known: dict[str, Any] = {"epochs": 0}
    if folder.has_checkpoint():
        from gluon_yolo.training.checkpoint import Checkpoint  # a late import, because it imports mxnet

        progress = Checkpoint(folder.weights).read()
        steps = StepLosses()
        if "Report" in progress.callbacks:
            try:
                steps.load_state_dict(progress.callbacks["Report"])
            except NOT_A_STATE as cause:
                raise UserError(
                    f"{folder.weights / 'last'}: damaged: its state of Report has no losses by step"
                ) from cause
        known = {
            "epochs": progress.epoch,
            "steps": steps.columns(),
            "score_key": progress.score_key,
            "best_score": progress.best_score,
            "best_epoch": progress.best_epoch,
        }
        if not error and state == STOPPED and progress.epoch >= {**PLAIN_DEFAULTS, **args}["epochs"]:
            state = FINISHED
    return RunState(
        folder=folder.path,
        args=args,
        network=model.network,
        class_names=model.spec.class_names,
        state=state,
        rows=folder.metrics.rows(),
        error=error,
        defaults=PLAIN_DEFAULTS,
        **known,
    )


def _ending(folder: RunFolder, args: Args) -> tuple[str, str]:
    """Return how the training ended, as far as the log and the note tell, and its error."""
    if run_note.going_on(folder.path) is not None:
        return BEING_TRAINED, ""
    if story := run_note.story(folder.path):
        return FAILED, story
    level, message = _last_logged(folder.log)
    return (FAILED, message) if level == "ERROR" else (STOPPED, "")


def _last_logged(log: Path) -> tuple[str, str]:
    """Return the level and the first line of a log's last message; empty without one."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", ""
    found = next((match for line in reversed(lines) if (match := _LOGGED.match(line))), None)
    return (found.group(1), found.group(2)) if found else ("", "")


def _labels(args: Args) -> tuple[list[LabelStatistics], list[Section]]:
    """Return the statistics of the run's data; else a section that says why there are none."""
    try:
        train, val, _ = open_datasets(DataRequest.of(args))
    except UserError as error:
        return [], [Section("labels", "Labels", [Text(f"The run's data cannot be opened: {error}")])]
    return [LabelStatistics.of(part) for part in (train, val) if part is not None], []


def _scored(folder: RunFolder, options: dict[str, Any]) -> list[Section]:
    """Return the sections on the best weights."""
    from gluon_yolo.api.evaluate import evaluate

    return list(evaluate(folder.path, **options).sections())
