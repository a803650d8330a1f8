"""``benchmark``: measure a model in every installed runtime and precision."""

from __future__ import annotations

import argparse
from pathlib import Path

from gluon_yolo.cli.calling import flag_of, typed
from gluon_yolo.cli.flags.data import add_calibrated_data_arguments
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import saying
from gluon_yolo.errors import SettingText, UserError
from gluon_yolo.outputs import check_outputs, write_file

HELP = """\
Measure a model in every installed runtime and precision, side by side: milliseconds for one picture, from
pixels to boxes; the size of its files; how far its boxes (in pixels of the input) and scores are from the
first row's (a dash where a graph returns no more than the boxes of its NMS); and with --data its scores.

A run or an imported model is exported to a temporary folder, in every format that an installed runtime reads,
and with --data in int8 too, calibrated on pictures for training. The files of an exported model are measured
as they are. Each form runs in a process of its own, and they take turns, so that other work on the machine
slows all of them.

  gluon-yolo benchmark runs/cells
  gluon-yolo benchmark runs/cells --data BCCD --threads 1,2
  gluon-yolo benchmark exported --runtime ncnn,mnn --json times.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``benchmark``."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a run (its best weights; RUN/last: its last), or of an imported or exported model",
    )
    precision_help = (
        "float32, float16, bfloat16, int8: what a run is exported in (default: float32,float16, and int8 "
        "with --data)"
    )
    parser.add_argument("--precision", metavar="P[,P...]", help=precision_help)
    runtime_help = "only these (default: all that are installed, but for those that are made for GPUs)"
    parser.add_argument("--runtime", metavar="NAME[,NAME...]", help=runtime_help)
    threads_help = "numbers of threads to measure with (default: OMP_NUM_THREADS, else the cores)"
    parser.add_argument("--threads", metavar="N[,N...]", help=threads_help)
    parser.add_argument("--size", metavar="N|HxW", help="input size in pixels (default: the model's own)")
    parser.add_argument("--json", metavar="FILE", help="write all numbers to this file")
    group = parser.add_argument_group("data")
    data_help = "score on this data, in any format that training reads, or a folder of pictures alone"
    classes_help = "class names, one a line, of data that has none"
    add_calibrated_data_arguments(group, data_help, classes_help, required=False)
    map_help = "lines NAME = OTHER NAME, where the data and the model use different names"
    group.add_argument("--class-map", metavar="FILE", help=map_help)
    num_help = "pictures to score on at most (default: %(default)s)"
    group.add_argument("--num", type=int, action=Within, least=1, default=500, metavar="N", help=num_help)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers of a list such as ``1,2``.

    Raises:
        UserError: a word is no whole number above 0.
    """
    if text is None:
        return None
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise UserError(f"--threads {text}: expected whole numbers above 0, as 1 or 1,2")
    return tuple(map(int, words))


def _say(line: str | SettingText) -> None:
    """Print a line with flags for settings, and with commands as the user can call them."""
    print(typed(line if isinstance(line, str) else line.named(flag_of)))


def run(args: argparse.Namespace) -> int:
    """Measure, and print the table."""
    from gluon_yolo.api.benchmark import benchmark

    check_outputs({"--json": args.json}, {}, {"MODEL": args.model, "--data": args.data})
    with saying(lambda: "benchmark; nothing is written"):
        found = benchmark(
            args.model,
            args.data,
            precision=args.precision,
            runtime=args.runtime,
            threads=_numbers(args.threads),
            size=args.size or None,
            num=args.num,
            data_format=args.data_format,
            train_split=args.train_split,
            val_split=args.val_split,
            classes=args.classes,
            class_map=args.class_map,
            skip_bad=args.skip_bad,
            say=_say,
        )
    print(typed(str(found)))
    if args.json:
        write_file("--json", Path(args.json), found.to_json())
        print(f"the numbers are in {args.json}")
    return 0
