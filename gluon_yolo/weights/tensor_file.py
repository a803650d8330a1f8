"""Files of named tensors, PyTorch's and those of safetensors, by their first bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gluon_yolo.weights import pth_file, safetensors_file

_LENGTH = 16  # first bytes that are enough to tell the kind
_STARTS = (b"PK\x03\x04", b"\x80\x02")  # of a zip file, of a pickle


def kind_of(path: Path) -> str | None:
    """Return ``pth`` or ``safetensors``, by a file's first bytes or else its name; None for other kinds."""
    with path.open("rb") as file:
        start = file.read(_LENGTH)
    if safetensors_file.is_safetensors(start):
        return "safetensors"
    if start.startswith(_STARTS) or path.suffix in (".pth", ".pt"):
        return "pth"
    return "safetensors" if path.suffix == ".safetensors" else None


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the named tensors of a ``.safetensors`` file, or else of a PyTorch file.

    Raises:
        UserError: the file cannot be read.
    """
    return safetensors_file.read(path) if kind_of(path) == "safetensors" else pth_file.read(path)
