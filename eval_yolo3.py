"""Score a detector on a data set: the same as ``python -m gluon_yolo eval``."""

from __future__ import annotations

import sys

from gluon_yolo.cli import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
