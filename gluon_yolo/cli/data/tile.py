"""``data tile``: cut the images of a data set into overlapping tiles."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.data.opening import add_parts_arguments, open_parts
from gluon_yolo.cli.data.writing import ADVICE, refuse_inside, say_what_is_lost, what_next
from gluon_yolo.cli.flags.data import add_source_arguments, source_of
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.tiles import add_overlap_argument
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.registry import SOURCES, WRITERS
from gluon_yolo.data.tiled_dataset import EMPTY, VISIBLE, TiledDataset
from gluon_yolo.data.tiles import OVERLAP, Tiling
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

HELP = """\
Cut the pictures of a data set into overlapping tiles, so that a network that is trained on them sees small
objects as large as demo and eval show them to it with --tile. Boxes are clipped to their tile; of a box that
a tile shows in part, the tile keeps what it shows from --visible on. Most tiles that show nothing are left
out.

  gluon-yolo data tile aerial aerial_tiles --tile 640 --overlap 0.2
  gluon-yolo data tile aerial aerial_tiles --tile 640 --to yolo --visible 0.5 --empty 0.3
  gluon-yolo train --data aerial_tiles --data-shape 640
  gluon-yolo eval --model runs/NAME --data aerial --tile 640

All parts are cut, as train, val and test. A picture that is no larger than a tile is copied as it is. OUT
must be new or empty. Pictures are read one by one.
"""

logger = logging.getLogger("gluon_yolo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data tile``."""
    add_source_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="the folder to make")
    tile_help = "pixels of a tile, height first (default: %(default)s)"
    parser.add_argument("--tile", default="640", metavar="N|HxW", help=tile_help)
    add_overlap_argument(parser, OVERLAP)
    to_help = "the format to write (default: that of PATH)"
    parser.add_argument("--to", choices=tuple(WRITERS), help=to_help)
    visible_help = "share of a box that must be in a tile for the tile to have it (default: %(default)s)"
    _add_share(parser, "--visible", VISIBLE, visible_help)
    empty_help = "share of the tiles without objects that is kept, as background (default: %(default)s)"
    _add_share(parser, "--empty", EMPTY, empty_help)
    seed_help = "another choice of the tiles without objects (default: %(default)s)"
    parser.add_argument("--seed", type=int, action=Within, least=0, default=0, metavar="S", help=seed_help)
    add_parts_arguments(parser)


def _add_share(parser: argparse.ArgumentParser, flag: str, default: float, help: str) -> None:
    parser.add_argument(
        flag, type=float, action=Within, least=0, most=1, default=default, metavar="X", help=help
    )


def run(args: argparse.Namespace) -> int:
    """Open all parts, write their tiles, and print the folder."""
    tiling = Tiling.of(args.tile, args.overlap)
    if args.to:  # refused before the data is looked for
        _check_free(args.out, args.to)
    source = source_of(args)
    format = args.to or source.format
    if not args.to:
        _check_free(args.out, format)
    refuse_inside(args.out, source.path)
    parts = open_parts(source, args)
    tiled = {
        part: TiledDataset(dataset, tiling, args.visible, args.empty, args.seed)
        for part, dataset in parts.items()
    }
    _refuse_nothing(parts, tiled)
    with writing(Path(args.out), ADVICE):
        writer = WRITERS[format](args.out, next(iter(tiled.values())).class_names)
        for part, tiles in tiled.items():
            writer.write(part, tiles)
        place = writer.finish()
    say_what_is_lost(source, place, parts.values(), parts.values())
    for part, tiles in tiled.items():
        print(_line(part, parts[part], tiles))
    print(f"{SOURCES[format].title}: {args.out}; {what_next(format, place, source, args)}")
    return 0


def _check_free(out: str, format: str) -> None:
    with writing(Path(out), ADVICE):
        WRITERS[format].check_free(out)


def _refuse_nothing(parts: Mapping[str, Dataset], tiled: Mapping[str, TiledDataset]) -> None:
    """Raise a UserError where a part has no tile; warn of objects that are in no tile."""
    for part, tiles in tiled.items():
        if not len(tiles):
            raise UserError(
                f"{parts[part].report.title}: no tile of {part} is left: none shows --visible of an object, "
                "and --empty keeps none without objects; give a lower --visible or a higher --empty"
            )
        if tiles.lost_objects:
            logger.warning(
                "%s: %s of %d in no tile, since each tile shows less than --visible of it: give a larger "
                "--tile, or a lower --visible",
                parts[part].report.title,
                counted(tiles.lost_objects, "object", form=","),
                parts[part].report.boxes,
            )


def _line(part: str, dataset: Dataset, tiles: TiledDataset) -> str:
    """Return what was made of a part."""
    images = counted(len(dataset), "picture", form=",")
    count = counted(len(tiles), "tile", form=",")
    objects = counted(dataset.report.boxes, "object", form=",")
    objects = f"of {objects} there are {tiles.report.boxes:,} in the tiles"
    dropped = f", {counted(tiles.dropped_parts, 'part', form=',')} left out" if tiles.dropped_parts else ""
    return f"{part}: {images}, {count} ({tiles.empty_tiles:,} without objects); {objects}{dropped}"
