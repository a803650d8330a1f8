"""``python -m gluon_yolo``: the command line."""

from __future__ import annotations

import sys

from gluon_yolo.cli import main

sys.exit(main())
