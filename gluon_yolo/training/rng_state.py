"""RNG state: seed the global random number generators, save their states, restore them.

The data pipeline has its own generators, made from (seed, epoch, index). All other code uses the global ones.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from gluon_yolo.mxnet_compat import mx


def seed(value: int, step: int = 0) -> None:
    """Seed the global generators of Python, NumPy and mxnet for a step of a training."""
    random.seed(value)
    np.random.seed(value % 2**32)
    _seed_mxnet(value, step)


def states() -> dict[str, Any]:
    """Return the states of Python's and NumPy's generators, fit for JSON."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": [kind, np.asarray(keys).tolist(), position, has_gauss, gauss],
    }


def restore(saved: dict[str, Any], value: int, step: int) -> None:
    """Restore Python's and NumPy's generators from the result of :func:`states`, and seed mxnet's for a step.

    mxnet cannot return the state of its generators. A training step does not use them.
    """
    version, keys, gauss = saved["python"]
    random.setstate((version, tuple(keys), gauss))
    np.random.set_state(tuple(saved["numpy"]))
    _seed_mxnet(value, step)


def _seed_mxnet(value: int, step: int) -> None:
    mx.random.seed((value * 1_000_003 + step) % 2**31)
