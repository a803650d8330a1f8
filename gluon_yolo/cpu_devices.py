"""Several CPU devices in one process: what mxnet has to be told before it is imported."""

from __future__ import annotations

import os


def prepare() -> None:
    """Keep SyncBN between CPU devices from waiting for ever, unless the user chose these settings.

    Operators of different devices that share temporary space, or one device's only worker, can each hold what
    the other needs. It costs memory (each copy of the space grows to the largest request), so one device goes
    without. Has no effect once mxnet is imported.
    """
    os.environ.setdefault("MXNET_CPU_TEMP_COPY", "64")
    os.environ.setdefault("MXNET_CPU_WORKER_NTHREADS", "4")
