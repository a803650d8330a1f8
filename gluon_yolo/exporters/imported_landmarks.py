"""ImportedLandmarks: a model folder made from a landmark network, and how to use it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from gluon_yolo.exporters.imported_folder import ImportedFolder
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from gluon_yolo.landmarks import LandmarkSpec


@dataclasses.dataclass(frozen=True)
class ImportedLandmarks(ImportedFolder):
    """A model folder of a landmark network. ``print(imported)`` shows what the command prints.

    Args:
        folder: the model folder.
        name: the name of the network.
        spec: its points, size and crop.
        parameters: the number of its parameters.
        flops: floating-point operations for one face.
        report: lines on what was read.
    """

    folder: Path
    name: str
    spec: LandmarkSpec
    parameters: int
    flops: int
    report: tuple[str, ...]

    def predictor(self, **options: Any) -> FaceLandmarks:
        """Load the model, as :meth:`gluon_yolo.FaceLandmarks.load` does.

        Args:
            **options: of ``FaceLandmarks.load``.
        """
        return FaceLandmarks.load(self.folder, **options)

    def __str__(self) -> str:
        """Return what was read, the network's description, its folder, and how to use it."""
        place = shlex.quote(str(self.folder))
        uses = (f"demo --model FACES --landmarks {place} PICTURES", f"export {place} --out FOLDER")
        return self.text(self._facts(), uses)

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: a table with one row for each fact."""
        return self.table(("network", fact) for fact in self._facts())

    def _facts(self) -> list[str]:
        height, width = self.spec.size_hw
        return [
            f"{self.parameters:,} parameters",
            f"{self.flops / 1e9:.3f} GFLOPs",
            f"{self.spec.num_points} landmarks",
            f"input {height}x{width}",
        ]
