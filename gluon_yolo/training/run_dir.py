"""RunFolder: the folder that holds all there is to know of one training."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo import atomic_io
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import check_text
from gluon_yolo.training.metrics_csv import MetricsCSV

_ADVICE = "choose a folder that can be written"


class RunFolder:
    """``runs/NAME/``: ``args.json config.yaml model.json data.json log.txt metrics.csv weights/ pictures/``.

    While it is trained there is ``running.json`` too (:mod:`gluon_yolo.system.run_note`).

    Make one with :meth:`create`, find one with :meth:`open`.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the parts, touching nothing."""
        self.path = Path(path)
        self.weights = self.path / "weights"
        self.images = self.path / "pictures"
        self.log = self.path / "log.txt"
        self.config = self.path / "config.yaml"
        self.metrics = MetricsCSV(self.path / "metrics.csv")

    @classmethod
    def create(cls, root: str | os.PathLike[str], network: str) -> RunFolder:
        """Make ``ROOT/NETWORK-N`` with the first N that is above every earlier run's.

        Args:
            root: where runs are kept; made when absent.
            network: the first part of the run's name.

        Raises:
            UserError: when the folder cannot be made.
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
                except FileExistsError:  # another run was quicker
                    number += 1
            folder.weights.mkdir()
            folder.images.mkdir()
            return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Find a run that was made before.

        Raises:
            UserError: when there is none; the message names those beside it.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise UserError(f"{path}: no such run{_neighbours(folder.path.parent)}")
        missing = [name for name in ("args.json", "model.json") if not (folder.path / name).is_file()]
        if missing:
            raise UserError(
                f"{path}: not a run's folder: {' and '.join(missing)} missing{_neighbours(folder.path)}"
            )
        return folder

    def is_fresh(self) -> bool:
        """Say whether no checkpoint of its training was ever whole, so that it has to begin anew.

        The first epoch's row and best weights are written before its checkpoint; a second row, or a kept
        epoch, is behind one, and a run that has these has lost it.
        """
        if (self.weights / "last" / "state.json").exists():
            return False
        return len(self.metrics.rows()) < 2 and not any(self.weights.glob("epoch-*.params"))

    def has_weights(self) -> bool:
        """Say whether there are weights to start another training from."""
        last = self.weights / "last" / "state.json"
        return last.exists() or (self.weights / "best.params").exists()

    def write_args(self, args: Mapping[str, Any]) -> None:
        """Keep the settings that the run was asked for: plain values, fit for JSON."""
        self._write("args.json", args)

    def args(self) -> dict[str, Any]:
        """Return what :meth:`write_args` kept."""
        return self._read("args.json")

    def write_model(self, model: Mapping[str, Any]) -> None:
        """Keep what the network is (name, spec, input size): plain values, fit for JSON."""
        self._write("model.json", model)

    def model(self) -> dict[str, Any]:
        """Return what :meth:`write_model` kept."""
        return self._read("model.json")

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Keep what tells the run's data from other: plain values, fit for JSON."""
        self._write("data.json", data)

    def data(self) -> dict[str, Any]:
        """Return what :meth:`write_data` kept; nothing of a run from before it was."""
        return self._read("data.json") if (self.path / "data.json").exists() else {}

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        path = self.path / name
        with atomic_io.writing(path, _ADVICE), atomic_io.replacing(path) as part:
            part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {error}; the run cannot be used without it") from error
        if not isinstance(record, dict):
            raise UserError(f"{path}: expected a JSON object; the run cannot be used without it")
        return record


def _number(name: str, network: str) -> int:
    """Return N of a folder called NETWORK-N, 0 for any other."""
    first, _, number = name.rpartition("-")
    return int(number) if first == network and number.isdecimal() else 0


def _neighbours(folder: Path) -> str:
    """Say which runs a folder holds, newest last; nothing when it holds none."""
    runs = [path.parent for path in folder.glob("*/args.json")]
    names = [str(path) for path in sorted(runs, key=lambda path: path.stat().st_mtime)]
    return f"; there are: {', '.join(names[-8:])}" if names else ""
