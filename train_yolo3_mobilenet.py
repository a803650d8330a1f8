"""Train a YOLOv3 detector: the same as ``python -m gluon_yolo train``."""

from __future__ import annotations

import sys

from gluon_yolo.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
