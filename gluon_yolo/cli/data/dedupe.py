"""``data dedupe``: list images that a data set contains twice, or write it without them."""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.data.opening import add_parts_arguments, open_parts
from gluon_yolo.cli.data.writing import ADVICE, refuse_inside, say_what_is_lost, what_next
from gluon_yolo.cli.flags.data import add_source_arguments, request_of, source_of
from gluon_yolo.data import hints
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.duplicates import Copy, find_groups
from gluon_yolo.data.registry import WRITERS
from gluon_yolo.data.subset import Subset
from gluon_yolo.outputs import check_outputs, write_file
from gluon_yolo.text import counted

HELP = """\
List the pictures that a data set has several times: the same bytes; and the same picture compressed or scaled
anew. Nothing is changed. With --out DIR the data is written there without the copies, in its own format.
COCO's crowds and areas of outlines are left out, and counted.

Of each group one picture is kept: of the first part that has one (train before val before test), that with
the most objects. The same bytes with another number of objects are marked: look at both labels. What looks
the same with other boxes is another picture, as of a still camera.

  gluon-yolo data dedupe my_data
  gluon-yolo data dedupe my_data --out my_data_once --link
"""

_WITHIN = ("annotations", "ImageSets", "Main", "labels")  # folders inside a data set

logger = logging.getLogger("gluon_yolo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data dedupe``."""
    add_source_arguments(parser)
    parser.add_argument("--identical", action="store_true", help="look for the same bytes alone")
    parser.add_argument("--json", metavar="FILE", help="write the groups to this file")
    parser.add_argument("--out", metavar="DIR", help="write the data without the copies to this new folder")
    parser.add_argument(
        "--link", action="store_true", help="with --out: hard links of the pictures, no copies"
    )
    add_parts_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Find the copies, list them, and write the data without them."""
    check_outputs({"--json": args.json}, {"--out": args.out})
    source = source_of(args)
    if args.out:
        with writing(Path(args.out), ADVICE):
            WRITERS[source.format].check_free(args.out)
        refuse_inside(args.out, source.path)
    parts = open_parts(source, args)
    groups, bad = find_groups(parts, args.identical)
    for problem in bad:
        logger.warning("%s", problem)
    ordered = [_kept_first(group, list(parts)) for group in groups]
    for group in ordered:
        print("\n".join(_lines(group)))
    copies = sum(len(group) - 1 for group in ordered)
    across = sum(len({copy.part for copy in group}) > 1 for group in ordered)
    total = sum(map(len, parts.values()))
    found = f"{copies:,} of {total:,} pictures are copies, in {counted(len(ordered), 'group', form=',')}"
    print(f"{found}, {across:,} of them over several parts" if across else found)
    if args.json:
        write_file("--json", Path(args.json), json.dumps([_record(group) for group in ordered], indent=1))
        print(f"the groups are in {args.json}")
    if args.out:
        kept = _without_copies(parts, ordered)
        place = _write(args, source.format, kept)
        say_what_is_lost(source, place, parts.values(), kept.values())
        left = counted(total - copies, "picture", form=",")
        print(f"{left} in {args.out}; {what_next(source.format, place, source, args)}")
    elif copies:
        again = hints.command("dedupe", args.data, request_of(args), _same_again(args))
        print(typed(f"the data without them: {again}"))
    return 0


def _same_again(args: argparse.Namespace) -> list[str]:
    """Return the flags that find the same copies and write the data without them to a free folder."""
    flags = {"--only": args.only, "--class-map": args.class_map}
    words = [word for flag, value in flags.items() if value for word in (flag, value)]
    words += [word for split in args.split or () for word in ("--split", split)]
    words += [f"--{name.replace('_', '-')}" for name in ("identical", "skip_bad") if getattr(args, name)]
    return [*words, "--link", "--out", str(_free_place(Path(args.data)))]


def _free_place(data: Path) -> Path:
    """Return the path of a new folder beside a data set, not inside it."""
    folder = (data if data.is_dir() else data.parent).resolve()
    while folder.name in _WITHIN:
        folder = folder.parent
    name = f"{folder.name or 'data'}_once"
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    place = next(folder.parent / each for each in names if not (folder.parent / each).exists())
    return place if data.is_absolute() else Path(os.path.relpath(place))


def _kept_first(group: Sequence[Copy], parts: Sequence[str]) -> list[Copy]:
    """Return a group with the image to keep first."""
    return sorted(group, key=lambda copy: (parts.index(copy.part), -copy.boxes))


def _lines(group: Sequence[Copy]) -> list[str]:
    """Return the lines to print for a group."""
    kept, *others = group
    lines = [f"{kept.part}: {kept.name} (objects: {kept.boxes})"]
    for copy in others:
        how = "the same bytes" if copy.digest == kept.digest else "the same picture"
        label = "" if copy.boxes == kept.boxes else f"; its label has other objects: {copy.boxes}"
        lines.append(f"  {copy.part}: {copy.name}: {how}{label}")
    return lines


def _record(group: Sequence[Copy]) -> list[dict[str, object]]:
    return [
        {
            "picture": copy.name,
            "part": copy.part,
            "objects": copy.boxes,
            "identical": copy.digest == group[0].digest,
            "kept": copy is group[0],
        }
        for copy in group
    ]


def _without_copies(parts: Mapping[str, Dataset], groups: Sequence[Sequence[Copy]]) -> dict[str, Dataset]:
    """Return the parts with one image of each group; a part without other images is dropped."""
    dropped = {(copy.part, copy.index) for group in groups for copy in group[1:]}
    kept = {
        part: [index for index in range(len(dataset)) if (part, index) not in dropped]
        for part, dataset in parts.items()
    }
    return {part: Subset(parts[part], indices) for part, indices in kept.items() if indices}


def _write(args: argparse.Namespace, format: str, parts: Mapping[str, Dataset]) -> Path:
    """Write the parts; return the path for ``--data``."""
    with writing(Path(args.out), ADVICE):
        writer = WRITERS[format](args.out, next(iter(parts.values())).class_names)
        for part, dataset in parts.items():
            writer.write(part, dataset, copy=not args.link)
        return writer.finish()
