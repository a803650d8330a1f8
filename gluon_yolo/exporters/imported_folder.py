"""What every imported model says of itself: what was read, what it is, where it is, how it is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from gluon_yolo.inference.model_record import RUN_RECORD
from gluon_yolo.tables import html_table


class ImportedFolder:
    """A model folder made from another program's model: a base of dataclasses with these fields.

    Attributes:
        folder: the model folder.
        name: the name of the network.
        report: lines on what was read.
    """

    folder: Path
    name: str
    report: tuple[str, ...]

    @property
    def record(self) -> Path:
        """The path of the model's ``model.json``."""
        return self.folder / RUN_RECORD

    def text(self, facts: Iterable[str], uses: Sequence[str]) -> str:
        """Return what was read, the network's description, its folder, and how to use it.

        Args:
            facts: of the network, in a few words each.
            uses: words behind ``gluon-yolo``.
        """
        lines = [*self.report, f"{self.name}: {', '.join(facts)}"]
        lines.append(f"the model is in {self.folder}; it was read back, and gives the same. Use it:")
        return "\n".join([*lines, *(f"  gluon-yolo {use}" for use in uses)])

    def table(self, facts: Iterable[tuple[str, str]]) -> str:
        """Return HTML for a notebook: a table with one row for each fact, a name and a value."""
        rows = [("file", line) for line in self.report]
        return html_table(("", ""), [*rows, *facts, ("folder", str(self.folder))], caption=self.name)
