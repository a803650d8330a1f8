"""Exported: the files of an export, their differences from the network, and how to use them."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.parity import Unverified
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.tables import html_table
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True)
class Exported:
    """The result of an export. ``print(exported)`` shows what the command prints.

    Args:
        folder: the output folder.
        record: ``NAME.json``, which ``Predictor.load`` takes; None for darknet files alone, which need none.
        files: the names of the files, by format.
        parities: the difference of each file from the network, by format.
        kept: formats of the same model from earlier exports, which are in the record too.
        removed: files of another model with this name, which were deleted.
        reason: the difference between the two models.
        network: the name of the network.
        spec: its class names, anchors and strides.
        size_hw: the input size that the files suggest, height and width in pixels.
        precision: of the weights.
        fixed_batch: the only batch size of the formats in ``fixed``; None for any.
        fixed: the formats whose files accept one batch size and one input size only.
    """

    folder: Path
    record: Path | None
    files: Mapping[str, tuple[str, ...]]
    parities: Mapping[str, Any]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    reason: str
    network: str
    spec: Any
    size_hw: tuple[int, int]
    precision: str
    fixed_batch: int | None = None
    fixed: tuple[str, ...] = ()

    def predictor(self, **options: Any) -> Predictor:
        """Load the exported model, as :meth:`gluon_yolo.Predictor.load` does.

        Args:
            **options: of ``Predictor.load``; for darknet files alone, of :meth:`Predictor.from_network`.
        """
        if self.record is not None:
            return Predictor.load(self.record, **options)
        weights, _, cfg = (self.folder / file for file in self.files["darknet"])
        return Predictor.from_network(str(cfg), weights, self.spec.class_names, **options)

    def __str__(self) -> str:
        """Return the files, their differences from the network, and how to use them."""
        lines = [self._title()]
        if self.removed:
            lines.append(f"removed {', '.join(self.removed)}: {self.reason}")
        wide = max(map(len, self.files))
        for kind, files in self.files.items():
            lines.append(f"{kind:{wide}}  {', '.join(files)}{self._taken_alone(kind)}")
            lines.append(f"{'':{wide}}  {self.parities[kind]}")
        if self.kept:
            lines.append(f"there before, of the same weights: {', '.join(self.kept)}")
        if self._nothing_runs:
            lines.append(f"the model is in {self.folder}; nothing that is installed here runs it")
            return "\n".join(lines)
        return "\n".join([*lines, *self._uses()])

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: a table with one row for each format."""
        rows = [
            (kind, ", ".join(files), f"{self.parities[kind].boxes:.2g}", f"{self.parities[kind].scores:.1e}")
            for kind, files in self.files.items()
        ]
        titles = ("format", "files", "boxes differ by (pixels)", "scores differ by")
        return html_table(titles, rows, caption=f"{self._title()}, in {self.folder}")

    def _title(self) -> str:
        classes, (height, width) = counted(self.spec.num_classes, "class"), self.size_hw
        precision = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.network}, {classes}, input {height}x{width}{precision}"

    def _taken_alone(self, kind: str) -> str:
        """Return the only input that the files of a format accept; empty where it is not fixed."""
        if self.fixed_batch is None or kind not in self.fixed:
            return ""
        images, (height, width) = counted(self.fixed_batch, "picture"), self.size_hw
        return f", for {images} of {height}x{width} at a time, and nothing else"

    def _uses(self) -> list[str]:
        """Return how to use the files."""
        lines = []
        if "darknet" in self.files:
            weights, _, cfg = (self.folder / file for file in self.files["darknet"])
            pair = shlex.join([str(cfg), str(weights)])
            lines.append(f"darknet takes it: darknet detector test FILE.data {pair} PICTURE")
        if self.record is None:
            words = [shlex.quote(str(self.folder / file)) for file in self.files["darknet"]]
            use = "gluon-yolo demo --network {2} --weights {0} --classes {1} PICTURES".format(*words)
            return [*lines, f"the model is in {self.folder}; use it with: {use}"]
        use = str(self.record if self._holds_several() else self.folder)
        line = f"the model is in {self.folder}; use it with: gluon-yolo demo --model {shlex.quote(use)} "
        return [*lines, f"{line}PICTURES, or in Python: gluon_yolo.Predictor.load({use!r})(picture)"]

    @property
    def _nothing_runs(self) -> bool:
        return not self.kept and all(isinstance(parity, Unverified) for parity in self.parities.values())

    def _holds_several(self) -> bool:
        try:
            find_model_record(self.folder)
        except UserError:
            return True
        return False
