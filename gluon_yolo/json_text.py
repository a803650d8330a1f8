"""JSON of a file that anybody may have written."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes, **options: Any) -> Any:
    """Return what a JSON text holds, as ``json.loads`` does.

    Raises:
        ValueError: it is no JSON, or has lists in lists beyond what Python's stack holds.
    """
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError("its lists and objects are nested too deeply") from None
