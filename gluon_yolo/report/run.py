"""The page of a run: how its training goes, its data, its settings, and the commands to go on."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.report.environment import environment_section
from gluon_yolo.report.history import Row, history_section
from gluon_yolo.report.images import of_file
from gluon_yolo.report.labels import LabelStatistics, label_section
from gluon_yolo.report.page import Commands, Facts, Images, Page, Section, Table
from gluon_yolo.system import run_note
from gluon_yolo.visualize.curves import number

FILE = "report.html"  # in the run's folder
TRAINING, FINISHED, STOPPED, FAILED = "training", "finished", "stopped", "failed"
BEING_TRAINED = (
    "being trained while this page was written"  # the page of a command does not load itself again
)
_GRIDS = {
    "validation.jpg": "Validation images with their detections",
    "train-batch-0.jpg": "The first training batch, with the boxes that the losses get",
}


@dataclasses.dataclass(frozen=True)
class RunState:
    """What a report says of a run.

    Args:
        folder: of the run.
        args: its settings in plain form, as in its ``args.json``.
        network: the network's name.
        class_names: of the network.
        state: ``TRAINING``, ``FINISHED``, ``STOPPED``, ``FAILED`` or ``BEING_TRAINED``.
        epochs: the number of whole epochs that are trained.
        rows: of its ``metrics.csv``.
        steps: losses by step, as :func:`gluon_yolo.report.history.history_section` takes them.
        score_key: the name of the score that compares epochs.
        best_score: None before the first validation.
        best_epoch: of the best score.
        error: that ended the training; empty without one.
        defaults: the plain default of each setting.
        devices: that train; empty where none does.
        engine: that trains; empty where none does.
    """

    folder: Path
    args: Mapping[str, Any]
    network: str
    class_names: Sequence[str]
    state: str
    epochs: int
    rows: Sequence[Row]
    steps: Mapping[str, Sequence[float]] | None = None
    score_key: str | None = None
    best_score: float | None = None
    best_epoch: int | None = None
    error: str = ""
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    devices: Sequence[str] = ()
    engine: str = ""


def run_page(
    run: RunState, labels: Sequence[LabelStatistics] = (), evaluation: Sequence[Section] = ()
) -> Page:
    """Return the page of a run.

    Args:
        run: its state.
        labels: statistics of the training and the validation data.
        evaluation: sections on the last validation.
    """
    images = [of_file(run.folder / "pictures" / name, caption) for name, caption in _GRIDS.items()]
    shown = [image for image in images if image is not None]
    sections = [
        Section("summary", "Summary", [_summary(run)]),
        history_section(run.rows, run.steps, run.score_key),
        *evaluation,
        label_section(labels),
        Section("images", "Images", [Images(shown, large=True)] if shown else []),
        Section("commands", "Commands", [_commands(run)]),
        Section("settings", "Settings", _settings(run)),
        environment_section(run.devices, run.engine),
    ]
    name = run.args.get("name") or run.folder.name
    subtitle = f"A training of {run.network}, in {run.folder.absolute()}"
    return Page(f"Run {name}", subtitle, sections, run.error, running=run.state == TRAINING)


def _summary(run: RunState) -> Facts:
    total = run.args.get("epochs")
    rows: list[tuple[str, object]] = [
        ("state", run.state),
        ("epochs", f"{run.epochs} of {total}" if total else run.epochs),
    ]
    if run.best_score is not None:
        rows.append((f"best {run.score_key or 'score'}", f"{run.best_score:.4f} at epoch {run.best_epoch}"))
    seconds = sum(number(row.get("seconds", "")) or 0.0 for row in run.rows)
    if seconds:
        rows.append(("time of training steps", f"{seconds / 60:.1f} min"))
    names = ", ".join(run.class_names[:20]) + (", ..." if len(run.class_names) > 20 else "")
    rows += [
        ("network", run.network),
        (f"classes ({len(run.class_names)})", names),
        ("input size", run.args.get("data_shape")),
        ("data", run.args.get("data") or run.args.get("dataset")),
    ]
    return Facts(rows)


def _commands(run: RunState) -> Commands:
    """Return the commands that go on, as they can be pasted."""
    place = shlex.quote(os.fspath(run.folder))
    commands = []
    if run.state != FINISHED:
        commands.append(("go on with the training", f"gluon-yolo train --resume {place}"))
    commands += [
        ("score the best weights, with a report", f"gluon-yolo eval --model {place} --report eval.html"),
        ("see what it finds", f"gluon-yolo demo --model {place} PICTURES"),
        ("write it for other programs", f"gluon-yolo export {place} --out model"),
        ("write this report again", f"gluon-yolo report {place}"),
    ]
    there = [] if run.folder.is_absolute() else [("in this folder", f"cd {shlex.quote(os.getcwd())}")]
    return Commands([*there, *((title, run_note.worded(command)) for title, command in commands)])


def _settings(run: RunState) -> list[Table]:
    """Return the settings that differ from the defaults, and all of them."""
    changed = [
        (name, _shown(value)) for name, value in run.args.items() if value != run.defaults.get(name, value)
    ]
    every = [(name, _shown(value)) for name, value in run.args.items()]
    header = ("setting", "value")
    tables = [Table("Settings other than the defaults", header, changed, text=True)] if changed else []
    return [*tables, Table("All settings", header, every, folded=True, text=True)]


def _shown(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
