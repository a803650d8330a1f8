"""Data hints: what writes commands on the data that a command's arguments name."""

from __future__ import annotations

import argparse

from gluon_yolo.data.hints import DataHints


def hints_of(args: argparse.Namespace) -> DataHints:
    """Return what writes commands on the data.

    Args:
        args: parsed with flags that name data.
    """
    root = getattr(args, "data_root", None)
    format = getattr(args, "format", None) or (root and (args.dataset or "voc"))
    return DataHints(format, getattr(args, "classes", None))
