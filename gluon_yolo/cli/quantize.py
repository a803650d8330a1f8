"""``quantize``: write a trained model in int8 and bfloat16, and print the accuracy drop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from gluon_yolo.cli.calling import flag_of, typed
from gluon_yolo.cli.export import add_nms_arguments
from gluon_yolo.cli.flags.data import add_calibrated_data_arguments, add_class_arguments
from gluon_yolo.cli.flags.model import add_network_arguments, check_one_model
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import saying

REPORT = "report.json"
Written = Mapping[Path, tuple[int, int, int]]


def written(out: Path) -> Written:
    """Return the report and the files of the forms in a folder, with what changes with each writing."""
    states = {path: path.stat() for path in (out / REPORT, *out.glob("*/*")) if path.is_file()}
    return {path: (state.st_ino, state.st_mtime_ns, state.st_size) for path, state in states.items()}


def left(out: Path, before: Written) -> str:
    """Return text on what a stopped run leaves on disk.

    Args:
        out: the folder that it wrote to.
        before: the result of :func:`written` at its start.
    """
    new = [path for path, state in written(out).items() if before.get(path) != state]
    folders = " and ".join(str(folder) for folder in sorted({path.parent for path in new} - {out}))
    if not folders:
        return f"nothing is written to {out}"
    report = "is missing"
    if out / REPORT in before:
        report = "is new too" if out / REPORT in new else "is an earlier run's"
    return f"what is in {folders} is whole; {out / REPORT} {report}"


HELP = """\
Write a trained or imported model in fewer bits, calibrated and scored on pictures, one folder a precision:

  DIR/int8      symbol: by mxnet's own quantization; onnx: by ONNX Runtime's, which OpenVINO reads as well;
                tflite (with --format): for LiteRT, on phones
  DIR/bfloat16  symbol, where the processor has bfloat16

Predictor.load, eval and demo take either folder. Printed at the end, and written to DIR/report.json: what
each form scores in every runtime that reads it and is installed, its size and its time beside the network in
float32. What costs more than --max-drop points is found layer by layer and left in float, and listed; a
further runtime in which it does so is not taken by --runtime auto. The files suit any processor: sums of
int8's products cannot saturate on those without VNNI.

The pictures that calibrate are drawn from those for training, the others from those for validation or test;
data of one part is divided. --data may be a folder of pictures without labels: then what the model finds in
float, from a score of 0.3 on, is what it should find in int8.

  gluon-yolo quantize runs/cells --data BCCD --out small
  gluon-yolo quantize models/nano --data holiday_pictures --precision int8 --format onnx --out small
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``quantize``."""
    run_help = (
        "a run's or an imported model's folder (its best weights; RUN/last: its last), a weights file in it, "
        "or an exported model's folder that holds a symbol in float32"
    )
    parser.add_argument("run", nargs="?", metavar="MODEL", help=run_help)
    add_network_arguments(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--precision",
        default="int8,bfloat16",
        metavar="P[,P]",
        help="of what is written: int8, the smallest and on most processors the fastest; bfloat16, for those "
        "that compute in it (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        default="symbol,onnx",
        metavar="FORMAT[,FORMAT]",
        help="files that int8 is written as, of symbol, onnx and tflite (default: %(default)s)",
    )
    method_help = (
        "what int8 reaches over: minmax, all that was seen; entropy, what loses least of it; best, whichever "
        "of the two scores better (default: %(default)s)"
    )
    parser.add_argument("--method", choices=("minmax", "entropy", "best"), default="minmax", help=method_help)
    drop_help = (
        "points of VOC07's mAP, or of COCO's AP, that may be lost before layers stay in float (default: "
        "%(default)s)"
    )
    parser.add_argument(
        "--max-drop",
        type=float,
        action=Within,
        least=0,
        most=100,
        default=1.0,
        metavar="POINTS",
        help=drop_help,
    )
    parser.add_argument(
        "--name",
        help="stem of the files (default: the run's or exported model's name, else the network's)",
    )
    parser.add_argument("--size", metavar="N|HxW", help="input size in pixels (default: the model's own)")
    _add_data_arguments(parser)
    add_nms_arguments(parser.add_argument_group("written into the graphs"))


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name the data and the number of images."""
    group = parser.add_argument_group("data")
    data_help = "your data, in any format that training reads; or a folder of pictures without labels"
    classes_help = "class names, one a line, of the data or --network"
    add_calibrated_data_arguments(group, data_help, classes_help, required=True)
    add_class_arguments(group)
    num_help = "pictures to calibrate on (default: %(default)s)"
    group.add_argument("--num", type=int, action=Within, least=1, default=200, metavar="N", help=num_help)
    eval_help = "pictures to score on at most (default: %(default)s)"
    group.add_argument(
        "--eval-num", type=int, action=Within, least=1, default=500, metavar="N", help=eval_help
    )
    seed_help = "of drawing them (default: 0)"
    group.add_argument("--seed", type=int, action=Within, least=0, default=0, metavar="S", help=seed_help)


def run(args: argparse.Namespace) -> int:
    """Calibrate, score, write and compare; return 1 if a form loses more than ``--max-drop``."""
    check_one_model(args, args.run, "MODEL")
    from gluon_yolo.api.quantize import quantize
    from gluon_yolo.exporters.verify import WrongResults

    out = Path(args.out)
    before = written(out)
    try:
        with saying(lambda: f"quantize; {left(out, before)}"):
            done = quantize(
                args.run or args.network,
                args.data,
                args.out,
                weights=args.weights,
                precision=args.precision,
                formats=args.format,
                method=args.method,
                max_drop=args.max_drop,
                name=args.name,
                size=args.size or None,
                data_format=args.data_format,
                train_split=args.train_split,
                val_split=args.val_split,
                classes=args.classes,
                only=args.only,
                class_map=args.class_map,
                skip_bad=args.skip_bad,
                num=args.num,
                eval_num=args.eval_num,
                seed=args.seed,
                nms_threshold=args.nms_threshold,
                score_threshold=args.score_threshold,
                max_detections=args.max_detections,
                max_candidates=args.max_candidates,
                say=print,
            )
    except WrongResults as error:
        print(f"error: {typed(str(error))}", file=sys.stderr)
        return 1
    print(typed(done.named(flag_of)))
    return 1 if done.missed else 0
