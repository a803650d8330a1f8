"""A progress line once a minute while a benchmark runs, as in the package's commands."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gluon_yolo.progress.heartbeat import HEARTBEAT  # noqa: E402

SIDE = "--side"  # in the words of a process that a benchmark starts: the benchmark speaks for it


def alive(main: Callable[[], int]) -> int:
    """Run a benchmark, and return its status; where there is no terminal, lines go to standard error."""
    if SIDE in sys.argv:
        return main()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("gluon_yolo").setLevel(logging.INFO)
    with HEARTBEAT.working(Path(sys.argv[0]).stem):
        return main()
