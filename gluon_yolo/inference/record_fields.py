"""Fields of a model's record: its texts and limits, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRECISIONS = ("float32", "bfloat16", "float16", "int8")  # of exported weights


def check_texts(record: Mapping[str, Any]) -> None:
    """Raise a ValueError for a field that is no text, or that has an unknown word."""
    texts = {"name": record["name"], "network": record["network"]}
    texts.update({name: record[name] for name in ("package", "precision") if name in record})
    if record.get("weights") is not None:
        texts["weights"] = record["weights"]
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{name} {text!r}: expected a text")
    if texts.get("precision", "float32") not in PRECISIONS:
        raise ValueError(f"precision {texts['precision']!r}: expected one of {', '.join(PRECISIONS)}")
    origin = record.get("origin")
    if not (origin is None or isinstance(origin, dict)):
        raise ValueError(f"origin {origin!r}: expected an object")


def limit_of(record: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return a number of detections, or of boxes.

    Raises:
        TypeError, ValueError, OverflowError: it is no number of 1 or more.
    """
    limit = int(record.get(name, default))
    if limit < 1:
        raise ValueError(f"{name} {limit}: expected 1 or more")
    return limit
