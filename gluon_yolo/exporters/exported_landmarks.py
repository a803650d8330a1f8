"""ExportedLandmarks: the files of an exported landmark network, and how to use them."""

from __future__ import annotations

import shlex
from typing import Any

from gluon_yolo.exporters.exported import Exported
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from gluon_yolo.tables import html_table


class ExportedLandmarks(Exported):
    """The result of a landmark network's export, as :class:`gluon_yolo.exporters.exported.Exported`."""

    def predictor(self, **options: Any) -> Any:
        """Load the exported model, as :meth:`gluon_yolo.FaceLandmarks.load` does.

        Args:
            **options: of ``FaceLandmarks.load``.
        """
        assert self.record is not None
        return FaceLandmarks.load(self.record, **options)

    def _repr_html_(self) -> str:
        rows = [
            (kind, ", ".join(files), f"{self.parities[kind].points:.1e}")
            for kind, files in self.files.items()
        ]
        titles = ("format", "files", "points differ by (of the crop)")
        return html_table(titles, rows, caption=f"{self._title()}, in {self.folder}")

    def _title(self) -> str:
        height, width = self.size_hw
        precision = "" if self.precision == "float32" else f", {self.precision}"
        return f"{self.network}, {self.spec.num_points} face landmarks, input {height}x{width}{precision}"

    def _uses(self) -> list[str]:
        use = str(self.record if self._holds_several() else self.folder)
        line = f"gluon-yolo demo --model FACES --landmarks {shlex.quote(use)} PICTURES"
        python = f"gluon_yolo.FaceLandmarks.load({use!r})(picture, faces)"
        return [f"the model is in {self.folder}; use it with: {line}, or in Python: {python}"]
