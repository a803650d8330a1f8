"""Draw what a detector finds in images, a video or a webcam: the same as ``python -m gluon_yolo demo``."""

from __future__ import annotations

import sys

from gluon_yolo.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
