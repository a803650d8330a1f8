"""Resumed data: the images of a run that goes on, also where they lie in another place by now."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.cli.flags.data import open_datasets
from gluon_yolo.cli.flags.train import Flags
from gluon_yolo.cli.train_flags import PLACES
from gluon_yolo.errors import UserError

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset
    from gluon_yolo.training.run_dir import RunFolder

Data = tuple["Dataset", "Dataset", tuple[str, ...]]
_MAY_MOVE = (*PLACES, "dataset", "format")
_DECIMALS = 2  # of a pixel: formats keep boxes to about that


def record_of(data: Sequence[Dataset]) -> dict[str, Any]:
    """Return what tells data from all other: of the images to train on and to validate on.

    Places and names of files are no part of it.
    """
    parts = dict(zip(("train", "val"), data))
    return {name: {"pictures": len(part), "sha256": _digest(part)} for name, part in parts.items()}


def open_resumed(folder: RunFolder, flags: Flags) -> tuple[Data, list[str], list[str]]:
    """Open the data of a run that goes on.

    Args:
        folder: of the run.
        flags: its flags, with the places that were given anew.

    Returns:
        The data as :func:`open_datasets` gives it, and lines and warnings for the log.

    Raises:
        UserError: it is not there, or is other data than the run's.
    """
    try:
        data = open_datasets(argparse.Namespace(**flags))
    except UserError as error:
        gone = [name for name in PLACES if flags.get(name) and not os.path.exists(flags[name])]
        if not gone:
            raise
        words = " ".join(f"--{name.replace('_', '-')} NEW" for name in gone)
        way = f"gluon-yolo train --resume {shlex.quote(str(folder.path))} {words}"
        raise UserError(f"{error}. If what the run was trained on lies elsewhere now: {way}") from error
    kept = folder.args()
    moved = {name: flags[name] for name in flags if name in _MAY_MOVE and flags[name] != kept.get(name)}
    if not moved:
        return data, [], []
    before = folder.data()
    _refuse_other(folder, before, record_of(data[:2]), flags)
    folder.write_args({**kept, **moved})
    said = ", ".join(f"--{name.replace('_', '-')} {moved[name]}" for name in PLACES if moved.get(name))
    if before:
        return data, [f"the run's pictures and boxes lie elsewhere now: {said}"], []
    doubt = f"{said}: taken for the data that the run was trained on, of which it kept no record"
    return data, [], [doubt]


def _refuse_other(
    folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any], flags: Mapping[str, Any]
) -> None:
    for part, record in now.items():
        known = before.get(part, record)
        if record == known:
            continue
        what = "other pictures or boxes"
        if record["pictures"] != known["pictures"]:
            what = f"{record['pictures']:,} pictures and not {known['pictures']:,}"
        place = flags["data"] or flags["data_root"]
        raise UserError(
            f"{place} {part}: {what}: not the data that {folder.path} was trained on. Name that, or start a "
            f"new run from its weights: --weights {shlex.quote(str(folder.path))}"
        )


def _digest(dataset: Dataset) -> str:
    """Return a digest of the sizes of images, of their boxes and classes, in order."""
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        truth = dataset.annotations(index)
        digest.update(np.array([*dataset.size_hw(index), len(truth)], dtype="<i8").tobytes())
        digest.update(np.asarray(truth.class_ids, dtype="<i8").tobytes())
        digest.update(np.rint(np.asarray(truth.boxes) * 10**_DECIMALS).astype("<i8").tobytes())
    return digest.hexdigest()
