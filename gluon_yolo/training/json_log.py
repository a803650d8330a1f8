"""JSONLog: a file with one JSON object a line, which a run appends to."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from gluon_yolo import atomic_io, json_text


class JSONLog:
    """A file in the JSON Lines format. Values that are not finite are written as null.

    Args:
        path: the file, made by the first record.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a record.

        Raises:
            NotWritten: the file cannot be written.
        """
        line = json.dumps(_finite(record), ensure_ascii=False, allow_nan=False)
        with atomic_io.writing(self.path, atomic_io.MAKE_ROOM), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Remove records, and a last line that a kill left unfinished.

        Args:
            wanted: returns whether a record stays.

        Raises:
            NotWritten: the file cannot be written.
        """
        if not self.path.exists():
            return
        kept = [record for record in self.records() if wanted(record)]
        with atomic_io.writing(self.path, atomic_io.MAKE_ROOM), atomic_io.replacing(self.path) as part:
            lines = (json.dumps(record, ensure_ascii=False) for record in kept)
            part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def records(self) -> list[dict[str, Any]]:
        """Return the records; lines that are no JSON object are left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json_text.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                found.append(record)
        return found


def _finite(value: Any) -> Any:
    """Return a value in a form that strict JSON supports."""
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if hasattr(value, "item"):  # NumPy's numbers
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
