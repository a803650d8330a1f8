"""Tile flags: ``--tile``, ``--overlap`` and ``--tile-whole``, for large images with small objects."""

from __future__ import annotations

import argparse
from typing import Any

from gluon_yolo.cli.calling import flag_of
from gluon_yolo.data.tiles import OVERLAP, Tiling
from gluon_yolo.errors import UserError


def add_tile_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of a command that detects objects."""
    group = parser.add_argument_group("tiles, for small objects in large pictures")
    tile_help = (
        "cut pictures into overlapping tiles of N pixels of theirs (height first), find objects in each, and "
        "merge them; each tile is brought to the --size of the network"
    )
    group.add_argument("--tile", metavar="N|HxW", help=tile_help)
    add_overlap_argument(group)
    whole_help = "look at the whole picture too, for objects that are larger than a tile"
    group.add_argument("--tile-whole", action="store_true", help=whole_help)


def add_overlap_argument(group: Any, default: float | None = None) -> None:
    """Declare ``--overlap``; a default of None lets a command see whether it is given."""
    overlap_help = (
        "share of a tile's side that its neighbour has too, at least; objects smaller than that are whole in "
        f"a tile (default: {OVERLAP})"
    )
    group.add_argument("--overlap", type=float, default=default, metavar="X", help=overlap_help)


def tile_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a Predictor; empty for a command without these flags.

    Raises:
        UserError: a flag goes with ``--tile``, which is missing, or a value is invalid.
    """
    if getattr(args, "tile", None) is None:
        for name in ("overlap", "tile_whole"):
            if getattr(args, name, None) not in (None, False):
                raise UserError(f"{flag_of(name)}: goes with --tile N, which cuts the pictures")
        return {}
    tiling = Tiling.of(args.tile, args.overlap)
    return {"tile": tiling.size_hw, "overlap": tiling.overlap, "tile_whole": args.tile_whole}
