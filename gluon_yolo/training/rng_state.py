"""The global random generators: seed them, keep their states, restore them.

The data pipeline draws from generators of its own, made from (seed, epoch, index); these serve the rest.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from gluon_yolo.mxnet_compat import mx


def seed(value: int, step: int = 0) -> None:
    """Seed Python's, NumPy's and mxnet's global generators for a training that stands at a step."""
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
    """Set Python's and NumPy's generators to what :func:`states` returned, and seed mxnet's for the step.

    mxnet does not tell the state of its generators. Nothing in a training step draws from them.
    """
    version, keys, gauss = saved["python"]
    random.setstate((version, tuple(keys), gauss))
    np.random.set_state(tuple(saved["numpy"]))
    _seed_mxnet(value, step)


def _seed_mxnet(value: int, step: int) -> None:
    mx.random.seed((value * 1_000_003 + step) % 2**31)
