"""MetricsCSV: a CSV file with one row of numbers for each epoch."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo import atomic_io
from gluon_yolo.errors import UserError

_MOST_EPOCHS = 10**9


class MetricsCSV:
    """A comma-separated file with a header, to which a run appends rows.

    Args:
        path: the file, made by the first row.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a row. A new column name becomes the last column, with empty cells in earlier rows.

        Args:
            row: numbers or words by column name; None or a missing column gives an empty cell.

        Raises:
            UserError: the file cannot be written.
        """
        columns, rows = self._read()
        new = [name for name in row if name not in columns]
        if new:
            self._rewrite(columns + new, [*rows, _cells(row)])
            return
        with (
            atomic_io.writing(self.path, atomic_io.MAKE_ROOM),
            self.path.open("a", newline="", encoding="utf-8") as file,
        ):
            csv.DictWriter(file, columns).writerow(_cells(row))

    def keep_before(self, epoch: int) -> None:
        """Remove the rows of an epoch and of later ones, which a resumed run writes again.

        Raises:
            UserError: the file cannot be written.
        """
        columns, rows = self._read()
        if columns:
            self._rewrite(columns, [row for row in rows if int(row["epoch"]) < epoch])

    def rows(self) -> list[dict[str, str]]:
        """Return the rows as text, by column name."""
        return self._read()[1]

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        """Return columns and rows, without a last line that a kill left unfinished.

        Raises:
            UserError: the file cannot be read, has too few or too many cells, or no epochs.
        """
        if not self.path.exists():
            return [], []
        try:
            text = self.path.read_text(encoding="utf-8")
            reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]), strict=True)
            columns, rows = list(reader.fieldnames or []), list(reader)
            for number, row in enumerate(rows, start=2):
                if None in row or None in row.values():
                    raise ValueError(f"line {number} has not {len(columns)} cells")
                if not 0 <= int(row["epoch"]) < _MOST_EPOCHS:
                    raise ValueError(f"line {number} has the epoch {row['epoch'][:20]}")
        except KeyError as error:
            raise self._damaged("no column epoch") from error
        except (OSError, ValueError, csv.Error) as error:
            raise self._damaged(str(error)) from error
        return columns, rows

    def _damaged(self, why: str) -> UserError:
        said = f"cannot be read as a run's numbers ({why}); move it away, and the run goes on without them"
        return UserError(f"{self.path}: {said}")

    def _rewrite(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        with atomic_io.writing(self.path, atomic_io.MAKE_ROOM), atomic_io.replacing(self.path) as part:
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
