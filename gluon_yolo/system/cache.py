"""The folder in which this package remembers what it found out or fetched."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CACHE = "GLUON_YOLO_CACHE"


def cache_folder() -> Path:
    """Return this package's cache folder."""
    asked, system = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME")
    if asked:
        return Path(asked)
    try:
        return (Path(system) if system else Path("~/.cache").expanduser()) / "gluon_yolo"
    except RuntimeError:  # a container's user may have no home
        return Path(tempfile.gettempdir()) / "gluon_yolo"
