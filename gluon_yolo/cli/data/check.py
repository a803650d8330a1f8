"""``data check``: print the counts of a data set and all its issues."""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.data.check_sheet import check_sheet
from gluon_yolo.cli.flags.data import add_source_arguments, request_of, source_of
from gluon_yolo.data import hints
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.quality.check import Check, check
from gluon_yolo.data.quality.report import Issue
from gluon_yolo.data.quality.statistics import BOX_SIZES
from gluon_yolo.drawing.write import write_image
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

HELP = """\
Open every picture and every label of a data set, and say what it holds and what is wrong. Nothing is changed.

Errors are wrong data:
  pictures  that cannot be read or are cut short, are missing, or have another size than their label says
  labels    that are missing or broken, have no picture, or name an unknown class
  boxes     without area, out of their picture, with swapped corners, or with what is no number; most of them
            in other units, such as pixels in YOLO's labels
  splits    with a picture that another split has as well (byte by byte)
Warnings may be meant so: boxes that reach out of their picture, boxes and pictures that are there twice,
classes that differ only in case or blanks, pictures that no split uses, two splits of the very same pictures.

Exit status: 0 without errors, 1 with errors, 2 when the data cannot be opened at all.

  gluon-yolo data check my_data
  gluon-yolo data check my_data --json check.json --sheet check.jpg
"""
SHOWN = 10
CLASSES_SHOWN = 40
SIZES_SHOWN = 5
_SUFFIXES = (".jpg", ".jpeg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data check``."""
    add_source_arguments(parser)
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line (default: the data's)")
    parser.add_argument("--all", action="store_true", help=f"print every finding, not {SHOWN} of each kind")
    parser.add_argument("--json", metavar="FILE", help="write counts and all findings to this file")
    image_grid = "draw the worst cases and a sample of each class on one picture, .jpg or .png"
    parser.add_argument("--sheet", metavar="FILE", help=image_grid)


def run(args: argparse.Namespace) -> int:
    """Check the data, print and write the results; return 1 when there are errors."""
    if args.sheet and Path(args.sheet).suffix.lower() not in _SUFFIXES:
        raise UserError(f"--sheet {args.sheet}: the name must end with .jpg or .png")
    class_names = read_class_names(args.classes) if args.classes else None
    result, request = check(source_of(args), class_names), request_of(args)
    for line in (*_counts(result, args.all), *_findings(result, args.all)):
        print(typed(hints.with_path(hints.complete(line, request), result.source, request)))
    written = []
    if args.json:
        _write_json(Path(args.json), result)
        written.append(f"all counts and findings: {args.json}")
    if args.sheet:
        write_image(args.sheet, check_sheet(result))
        written.append(f"the worst cases, and samples of each class: {args.sheet}")
    hint = "keep the findings with --json check.json, see them with --sheet check.jpg"
    verdict = f"{_count(result.errors, 'error')}, {_count(result.warnings, 'warning')}"
    print(f"{verdict}; {'; '.join(written) or hint}")
    return 1 if result.errors else 0


def _counts(result: Check, everything: bool) -> Iterator[str]:
    """Yield the lines of a table with a column for each part, and the notes of the readers."""
    splits, counts = result.source.parts(), list(result.counts.values())
    yield f"{result.source.path} ({result.source.title})"
    yield _row("", [part if split == part else f"{part} ({split})" for part, split in splits.items()])
    yield _row("pictures", [each.images for each in counts])
    yield _row("  without objects", [each.empty_images for each in counts])
    yield _row("  that cannot be used", [each.skipped for each in counts])
    yield _row("boxes", [each.boxes for each in counts])
    class_names = list(counts[0].per_class)
    shown = class_names if everything else class_names[:CLASSES_SHOWN]
    for name in shown:
        yield _row(f"  {name}", [each.per_class[name] for each in counts])
    if len(shown) < len(class_names):
        yield f"  ... and {counted(len(class_names) - len(shown), 'more class')} (--all)"
    for size, label in zip(BOX_SIZES, ("small (below 32x32 pixels)", "medium", "large (from 96x96)")):
        yield _row(label, [each.per_size[size] for each in counts])
    for label, name in (("difficult", "difficult"), ("crowds, left out", "crowd_boxes")):
        if any(getattr(each, name) for each in counts):
            yield _row(label, [getattr(each, name) for each in counts])
    yield _row("dropped for being broken", [each.broken_boxes for each in counts])
    yield _row("boxes in a picture", ["{0}..{3}".format(*each.objects) for each in counts])
    yield _row("  median", [f"{each.objects[1]:g}" for each in counts])
    for part, each in result.counts.items():
        sizes = [f"{width}x{height} {count:,}" for (height, width), count in each.image_sizes_hw.items()]
        more = f" and {len(sizes) - SIZES_SHOWN} more" if len(sizes) > SIZES_SHOWN else ""
        yield f"picture sizes of {part}: {', '.join(sizes[:SIZES_SHOWN])}{more}"
    for note in result.notes:
        yield f"note: {note}"


def _row(label: str, cells: Sequence[int | str]) -> str:
    """Return a line of the table."""
    texts = [cell if isinstance(cell, str) else f"{cell:,}" for cell in cells]
    return f"{label:28}" + "".join(f" {text:>18}" for text in texts)


def _findings(result: Check, everything: bool) -> Iterator[str]:
    """Yield the issues kind by kind, each kind with its advice."""
    kinds: dict[tuple[str, str], list[Issue]] = defaultdict(list)
    for issue in result.issues:
        kinds[issue.severity, issue.kind].append(issue)
    for (severity, kind), issues in kinds.items():
        yield ""
        yield f"{kind}: {_count(len(issues), severity)}"
        shown = issues if everything else issues[:SHOWN]
        yield from (f"  {issue}" for issue in shown)
        if len(shown) < len(issues):
            yield f"  ... and {len(issues) - len(shown):,} more (--all, or --json FILE)"
        yield f"  what to do: {issues[0].advice}"
    yield ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _write_json(path: Path, result: Check) -> None:
    """Write counts and issues as JSON."""
    content = {
        "data": str(result.source.path),
        "format": result.source.format,
        "errors": result.errors,
        "warnings": result.warnings,
        "counts": {part: counts.to_dict() for part, counts in result.counts.items()},
        "notes": list(result.notes),
        "findings": [_record(issue) for issue in result.issues],
    }
    with writing(path, "name another place"):
        # The bytes of a file name that is not UTF-8 become escapes, which JSON restores as Python has them.
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _record(issue: Issue) -> dict[str, Any]:
    """Return an issue as plain values; JSON has no NaN, so such a corner becomes null."""
    corners = issue.box_xyxy
    return {
        "severity": issue.severity,
        "kind": issue.kind,
        "file": issue.file,
        "where": issue.where,
        "message": issue.message,
        "advice": issue.advice,
        "box_xyxy": corners and [corner if math.isfinite(corner) else None for corner in corners],
    }
