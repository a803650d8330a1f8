"""A darknet network as two files, ``.cfg`` and ``.weights``: read into a block, written from one."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.compat import mx
from gluon_yolo.darknet.cfg import Cfg, read_cfg
from gluon_yolo.darknet.network import DarknetNetwork, build
from gluon_yolo.darknet.plan import make_plan
from gluon_yolo.darknet.transfer import get_weights, named_arrays
from gluon_yolo.darknet.weights import Header, read_weights
from gluon_yolo.errors import UserError

PathLike = "str | os.PathLike[str]"
