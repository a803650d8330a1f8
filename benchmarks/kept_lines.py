"""Results that a benchmark keeps in a file, a line of JSON each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def kept(file: Path) -> list[dict[str, Any]]:
    """Return all results that are there; none where there is no file."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def keep(file: Path, result: dict[str, Any]) -> None:
    """Add a result."""
    with file.open("a") as lines:
        print(json.dumps(result), file=lines)
