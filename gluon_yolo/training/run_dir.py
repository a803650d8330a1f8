"""RunFolder: the folder with all files of one training."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo import atomic_io, json_text
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import BEST_WEIGHTS, check_text, snapshot_name
from gluon_yolo.training.config import KINDS
from gluon_yolo.training.config_given import kept_settings
from gluon_yolo.training.metrics_csv import MetricsCSV

ARGS = "args.json"
_ADVICE = "choose a folder that can be written"


class RunFolder:
    """``runs/NAME/``: ``args.json config.yaml model.json data.json log.txt metrics.csv weights/ pictures/``.

    During the training there is also ``running.json`` (:mod:`gluon_yolo.system.run_note`).
    :meth:`create` makes a new run folder, :meth:`open` finds an existing one.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.weights = self.path / "weights"
        self.images = self.path / "pictures"
        self.log = self.path / "log.txt"
        self.config = self.path / "config.yaml"
        self.metrics = MetricsCSV(self.path / "metrics.csv")

    @classmethod
    def create(cls, root: str | os.PathLike[str], network: str) -> RunFolder:
        """Make ``ROOT/NETWORK-N``, where N is above the number of every earlier run.

        Args:
            root: the folder of all runs, made when absent.
            network: the first part of the run's name.

        Raises:
            UserError: the folder cannot be made.
        """
        first = Path(root) / network
        check_text(first)
        with atomic_io.writing(first.parent, _ADVICE):
            first.parent.mkdir(parents=True, exist_ok=True)
            number = max([_number(path.name, first.name) for path in first.parent.iterdir()], default=0) + 1
            while True:
                folder = cls(first.with_name(f"{first.name}-{number}"))
                try:
                    folder.path.mkdir()
                    break
                except FileExistsError:  # another process made it in the meantime
                    number += 1
            folder.weights.mkdir()
            folder.images.mkdir()
            return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Open an existing run folder.

        Raises:
            UserError: there is none; the message names runs beside it.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise UserError(f"{path}: no such run{_neighbours(folder.path.parent)}")
        missing = [name for name in (ARGS, "model.json") if not (folder.path / name).is_file()]
        if missing:
            raise UserError(
                f"{path}: not a run's folder: {' and '.join(missing)} missing{_neighbours(folder.path)}"
            )
        return folder

    def refuse_links(self) -> None:
        """Raise a UserError for a file that is a link out of the folder: a training writes through it."""
        home = self.path.resolve()
        for path in sorted(self.path.rglob("*")):
            if path.is_symlink() and not path.is_dir() and home not in path.resolve().parents:
                raise UserError(
                    f"{path}: is a link to {os.readlink(path)}, out of the run's folder, where the training "
                    "would write; put the file itself there"
                )

    def is_fresh(self) -> bool:
        """Return whether no checkpoint was ever completed; then the training starts again.

        The first epoch's row, weights and snapshot are written before its checkpoint. Those of a later one
        are written after one; if they exist, the checkpoint was lost.
        """
        if self.has_checkpoint():
            return False
        first = snapshot_name(self.args().get("start_epoch", 0))
        others = any(path.name != first for path in self.weights.glob("epoch-*.params"))
        return len(self.metrics.rows()) < 2 and not others

    def remove_parts(self) -> None:
        """Remove the files that a killed training had begun to write (:func:`atomic_io.replacing`)."""
        for folder in (self.path, self.weights, self.images):
            for path in folder.glob(f"*{atomic_io.PART}"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def has_weights(self) -> bool:
        """Return whether the run has weights to start another training from."""
        return self.has_checkpoint() or (self.weights / BEST_WEIGHTS).exists()

    def has_checkpoint(self) -> bool:
        """Return whether the run has a state to go on from."""
        return (self.weights / "last" / "state.json").exists()

    def write_args(self, args: Mapping[str, Any]) -> None:
        """Write the settings of the run: plain values, fit for JSON."""
        self._write(ARGS, args)

    def args(self) -> dict[str, Any]:
        """Return the settings of the run, in plain form.

        Raises:
            UserError: the file cannot be read, or a setting does not accept its value.
        """
        return kept_settings(self.path / ARGS, self._read(ARGS), KINDS)

    def write_model(self, model: Mapping[str, Any]) -> None:
        """Write the network's description (name, spec, input size): plain values, fit for JSON."""
        self._write("model.json", model)

    def model(self) -> dict[str, Any]:
        """Return the network's description."""
        return self._read("model.json")

    def write_best_threshold(self, threshold: float) -> None:
        """Set the score threshold with the best F1 in the network's description; NaN removes it."""
        kept = {name: value for name, value in self.model().items() if name != "best_threshold"}
        self.write_model(kept if math.isnan(threshold) else {**kept, "best_threshold": threshold})

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write the fingerprint of the run's data: plain values, fit for JSON."""
        self._write("data.json", data)

    def data(self) -> dict[str, Any]:
        """Return the fingerprint of the run's data; empty for old runs, which did not write it."""
        return self._read("data.json") if (self.path / "data.json").exists() else {}

    def write_teacher(self, teacher: Mapping[str, Any]) -> None:
        """Write the fingerprint of the run's teacher: plain values, fit for JSON."""
        self._write("teacher.json", teacher)

    def teacher(self) -> dict[str, Any]:
        """Return the fingerprint of the run's teacher; empty for a run without one."""
        return self._read("teacher.json") if (self.path / "teacher.json").exists() else {}

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        path = self.path / name
        with atomic_io.writing(path, _ADVICE), atomic_io.replacing(path) as part:
            part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            record = json_text.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {error}; the run cannot be used without it") from error
        if not isinstance(record, dict):
            raise UserError(f"{path}: expected a JSON object; the run cannot be used without it")
        return record


def _number(name: str, network: str) -> int:
    """Return N of a folder NETWORK-N, and 0 for other folders."""
    first, _, number = name.rpartition("-")
    return int(number) if first == network and number.isdecimal() else 0


def _neighbours(folder: Path) -> str:
    """Return text on the runs in a folder, the newest last; empty if there are none."""
    runs = [path.parent for path in folder.glob(f"*/{ARGS}")]
    names = [str(path) for path in sorted(runs, key=lambda path: path.stat().st_mtime)]
    return f"; there are: {', '.join(names[-8:])}" if names else ""
