"""Resumed: the settings and the data of a run that is resumed, even if its data has moved."""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.opening import open_datasets
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source
from gluon_yolo.errors import SettingError, SettingText, UserError, extended
from gluon_yolo.training.config import PLAIN_DEFAULTS, Args
from gluon_yolo.training.config_given import PLACES, check_memory
from gluon_yolo.training.length import LENGTH, check_epochs
from gluon_yolo.training.run_dir import RunFolder

Data = tuple[Dataset, Dataset, tuple[str, ...]]
HOSTS = ("hosts", "meet", "run_id", "restarts", "process_timeout")
DEVICES = ("gpus", "cpu_devices", "memory", "num_workers", "worker_type", *HOSTS)
ENGINE = ("engine", "precision", "compile", "deterministic")
LOGS = ("report", "tensorboard", "jsonl")
TEACHER = ("teacher", "teacher_weights", "teacher_classes")

log = logging.getLogger("gluon_yolo")

_MAY_MOVE = (*PLACES, "dataset", "format")
# Settings of a resumed run that may be given anew.
_ANEW = (
    *DEVICES,
    *ENGINE,
    *LOGS,
    *TEACHER,
    *LENGTH,
    *PLACES,
    "format",
)
_DECIMALS = 2  # of a pixel; formats store boxes about this precisely


def record_of(data: Sequence[Dataset]) -> dict[str, Any]:
    """Return the fingerprint of the training and the validation data, without paths and file names."""
    parts = dict(zip(("train", "val"), data))
    return {name: {"pictures": len(part), "sha256": _digest(part)} for name, part in parts.items()}


def resumed_args(given: Mapping[str, Any], kept: Mapping[str, Any]) -> Args:
    """Return the settings of a resumed run: its own, with the newly given engine, devices and data paths.

    Args:
        given: in plain form; may include ``resume``.
        kept: the run's ``args.json``.

    Raises:
        SettingError: ``memory`` is invalid, ``epochs`` are fewer than the run's, or its hosts met at a place
            that is not given anew.
    """
    check_memory(given)
    may_change = [name for name in _ANEW if name not in TEACHER or kept.get("teacher")]
    check_epochs(given, kept, str(given.get("resume") or ""))
    if kept.get("meet") and "meet" not in given and str(given.get("hosts")) != "1":
        # Who holds that place can send this process what it runs: a folder's word for it is not enough.
        raise SettingError(
            f"{given.get('resume')}: its processes met at {kept['meet']}, which is not taken from a run's "
            f"folder: give {{meet}} {kept['meet']} anew if that is your host, or {{hosts}} 1 to train here"
        )
    ignored = [
        f"{{{name}}} {value} (the run has {kept.get(name)})"
        for name, value in given.items()
        if name not in (*may_change, "resume") and kept.get(name) != value
    ]
    if ignored:
        message = SettingText(f"a resumed run keeps its own settings; ignored: {', '.join(ignored)}")
        log.warning("%s", message)
    changed = {name: given[name] for name in may_change if name in given}
    if changed.get("engine") == "mxnet":  # the other settings of an engine are torch's
        changed = {**{name: PLAIN_DEFAULTS[name] for name in ENGINE}, **changed}
    if "teacher" in changed:  # whose weights and classes may have been in files of their own
        changed = {**dict.fromkeys(TEACHER), **changed}
    if "data" in changed:  # the run may have named published data instead
        changed = {**changed, "dataset": None, "data_root": changed.get("data_root")}
    if changed.get("gpus") and "cpu_devices" not in changed:
        changed["cpu_devices"] = 0
    return {**PLAIN_DEFAULTS, **kept, "memory": None, **changed}


def open_resumed(folder: RunFolder, args: Args) -> tuple[Data, list[SettingText], list[SettingText]]:
    """Open the data of a resumed run.

    Args:
        folder: of the run.
        args: its settings in plain form, with the newly given paths.

    Returns:
        The data, and lines and warnings for the log.

    Raises:
        UserError: the data does not exist, or differs from the run's.
    """
    try:
        data = opened(DataRequest.of(args))
    except UserError as error:
        gone = [name for name in PLACES if args.get(name) and not os.path.exists(args[name])]
        if not gone:
            raise
        words = " ".join(f"--{name.replace('_', '-')} NEW" for name in gone)  # flags of a command to paste
        way = f"gluon-yolo train --resume {shlex.quote(str(folder.path))} {words}"
        raise extended(error, f". If what the run was trained on lies elsewhere now: {way}") from error
    kept = folder.args()
    moved = {name: args[name] for name in args if name in _MAY_MOVE and args[name] != kept.get(name)}
    if not moved:
        return data, [], []
    before = folder.data()
    _refuse_other(folder, before, record_of(data[:2]), args)
    folder.write_args({**kept, **moved})
    places = ", ".join(f"{{{name}}} {moved[name]}" for name in PLACES if moved.get(name))
    if before:
        return data, [SettingText(f"the run's pictures and boxes lie elsewhere now: {places}")], []
    doubt = f"{places}: taken for the data that the run was trained on, of which it kept no record"
    return data, [], [SettingText(doubt)]


def opened(request: DataRequest, source: Source | None = None) -> Data:
    """Return the training data, the validation data, and the class names of both."""
    train, val, class_names = open_datasets(request, source=source)
    assert train is not None and val is not None  # both were requested
    return train, val, class_names


def _refuse_other(
    folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any], args: Mapping[str, Any]
) -> None:
    for part, record in now.items():
        known = before.get(part, record)
        if record == known:
            continue
        what = "other pictures or boxes"
        if record["pictures"] != known["pictures"]:
            what = f"{record['pictures']:,} pictures and not {known['pictures']:,}"
        place = args["data"] or args["data_root"]
        raise SettingError(
            f"{place} {part}: {what}: not the data that {folder.path} was trained on. Name that, or start a "
            f"new run from its weights: {{weights}} {shlex.quote(str(folder.path))}"
        )


def _digest(dataset: Dataset) -> str:
    """Return a digest of the image sizes, boxes and classes, in order."""
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        truth = dataset.annotations(index)
        digest.update(np.array([*dataset.size_hw(index), len(truth)], dtype="<i8").tobytes())
        digest.update(np.asarray(truth.class_ids, dtype="<i8").tobytes())
        digest.update(np.rint(np.asarray(truth.boxes) * 10**_DECIMALS).astype("<i8").tobytes())
    return digest.hexdigest()
