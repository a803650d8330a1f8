"""``report``: write the page of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from gluon_yolo.api.report import FILE, write_report
from gluon_yolo.cli.flags.outputs import saying
from gluon_yolo.outputs import check_outputs, make_folder

HELP = """\
Write the page of a run, RUN/report.html: curves of losses, learning rate and mAP, label statistics, pictures,
settings, and the commands to go on; with --score also what the best weights find on the validation pictures:
precision and recall, confusion, kinds of errors, the worst and the best pictures. One file for a browser,
which needs no network. A training writes it itself with --report.

  gluon-yolo report runs/cells
  gluon-yolo report runs/cells --score --out cells.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``report``."""
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--out", metavar="FILE", help=f"where to write it (default: RUN/{FILE})")
    score_help = "score the best weights on the run's validation pictures, which takes as long as `eval`"
    parser.add_argument("--score", action="store_true", help=score_help)


def run(args: argparse.Namespace) -> int:
    """Write the page, and print where it is."""
    check_outputs({"--out": args.out}, {})
    if args.out:
        make_folder("--out", Path(args.out).parent)
    with saying(lambda: "report; it is not written"):
        path = write_report(args.run, args.out, score=args.score)
    print(f"the report is in {path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser")
    return 0
