"""The numbers of the type bfloat16 in files, which NumPy does not have."""

from __future__ import annotations

import numpy as np


def widen(bits: np.ndarray) -> np.ndarray:
    """Return numbers of bfloat16, given as uint16, as float32: their upper half is these bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
