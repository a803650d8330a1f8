"""Imported: a model folder made from another program's model, its description, and how to use it."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.exporters.damaged_weights import weights_from
from gluon_yolo.exporters.imported_folder import ImportedFolder
from gluon_yolo.exporters.model_dir import write_folder
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.models.build import Architecture
from gluon_yolo.models.darknet.network import CFG
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.summary import summarize
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import counted


@dataclasses.dataclass(frozen=True)
class Imported(ImportedFolder):
    """A model folder that every command accepts. ``print(imported)`` shows what the command prints.

    Args:
        folder: the model folder, with the layout of a run folder.
        network: the value of ``network`` for ``train`` to train this network: a name, or the path of its cfg.
        name: the name of the network.
        spec: its class names, anchors and strides.
        size_hw: input size, height and width in pixels.
        fit: how an image is fitted to the input size.
        parameters: the number of its parameters.
        flops: floating-point operations for one image.
        report: lines on what was read.
    """

    folder: Path
    network: str
    name: str
    spec: DetectionSpec
    size_hw: tuple[int, int]
    fit: str
    parameters: int
    flops: int
    report: tuple[str, ...]

    def predictor(self, **options: Any) -> Predictor:
        """Load the model, as :meth:`gluon_yolo.Predictor.load` does.

        Args:
            **options: of ``Predictor.load``.
        """
        return Predictor.load(self.folder, **options)

    def __str__(self) -> str:
        """Return what was read, the network's description, its folder, and how to use it."""
        place, network = shlex.quote(str(self.folder)), shlex.quote(self.network)
        uses = (
            f"demo --model {place} PICTURES",
            f"eval --model {place} --data DATA",
            f"export {place} --out FOLDER",
            f"train --network {network} --weights {place} --data DATA",
        )
        return self.text((f"{what} {value}".strip() for what, value in self._facts()), uses)

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: a table with one row for each fact."""
        return self.table((what or "size", value) for what, value in self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        """Return the names and values of the network's facts, in the order of the printed line."""
        classes = counted(self.spec.num_classes, "class")
        classes += f" ({self.spec.class_names[0]})" if self.spec.num_classes == 1 else ""
        return [
            ("", f"{self.parameters:,} parameters"),
            ("", f"{self.flops / 1e9:.3f} GFLOPs"),
            ("", classes),
            ("input", f"{self.size_hw[0]}x{self.size_hw[1]} by {self.fit}"),
            ("strides", ", ".join(map(str, self.spec.strides))),
        ]


def write_imported(
    net: DetectionNetwork,
    architecture: Architecture,
    out: str | os.PathLike[str],
    size_hw: tuple[int, int],
    origin: dict[str, Any],
    report: Sequence[str],
    weights: str,
) -> Imported:
    """Write a network as a model folder.

    Args:
        net: the network with its weights.
        architecture: builds the network.
        out: the folder; it must be absent or empty.
        size_hw: input size, height and width in pixels.
        origin: where the model is from, for the record.
        report: lines on what was read.
        weights: the file that they were read from, for messages.

    Raises:
        UserError: the folder is not empty or cannot be written, or the weights are damaged.
    """
    with weights_from(weights):
        folder = write_folder(net, out, size_hw, architecture.fit, origin)
    counts = summarize(net, size_hw)
    network = str(folder / CFG) if (folder / CFG).is_file() else architecture.name
    return Imported(
        folder,
        network,
        net.zoo_name,
        net.spec,
        size_hw,
        architecture.fit,
        counts.parameters,
        counts.flops,
        tuple(report),
    )
