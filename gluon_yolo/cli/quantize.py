"""``quantize``: write a trained model in int8 and bfloat16, and say what that costs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gluon_yolo.cli import quantize_data
from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.export import Model, add_nms_arguments, load_model, nms_options_of
from gluon_yolo.cli.flags.model import add_network_arguments, check_one_model, parse_size
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import check_outputs, saying
from gluon_yolo.cli.quantize_report import SHOWN, say, time_side_by_side, write_report
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.folder_lock import locked_folder
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.nms import SHOWN_SCORE

if TYPE_CHECKING:
    from gluon_yolo.evaluation.accuracy_drop import AccuracyDrop
    from gluon_yolo.exporters.request import Request


REPORT = "report.json"
Written = Mapping[Path, tuple[int, int, int]]


def written(out: Path) -> Written:
    """Return the report's and the forms' files in a folder, with what changes when one is written anew."""
    states = {path: path.stat() for path in (out / REPORT, *out.glob("*/*")) if path.is_file()}
    return {path: (state.st_ino, state.st_mtime_ns, state.st_size) for path, state in states.items()}


def left(out: Path, before: Written) -> str:
    """Say what a stopped run leaves.

    Args:
        out: the folder that it wrote to.
        before: what :func:`written` gave when it began.
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

  DIR/int8      symbol: by mxnet's own quantization; onnx: by ONNX Runtime's, which OpenVINO reads as well
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
FORMATS = ("symbol", "onnx")
PRECISIONS = ("int8", "bfloat16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``quantize`` takes."""
    run_help = (
        "a run's or an imported model's folder (its best weights; RUN/last: its last), a weights file in it, "
        "or an exported model's folder that holds a symbol in float32"
    )
    parser.add_argument("run", nargs="?", metavar="MODEL", help=run_help)
    add_network_arguments(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--precision",
        default=",".join(PRECISIONS),
        metavar="P[,P]",
        help="of what is written: int8, the smallest and on most processors the fastest; bfloat16, for those "
        "that compute in it (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        default=",".join(FORMATS),
        metavar="FORMAT[,FORMAT]",
        help="files that int8 is written as (default: %(default)s)",
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
    quantize_data.add_arguments(parser)
    add_nms_arguments(parser.add_argument_group("written into the graphs"))


def run(args: argparse.Namespace) -> int:
    """Calibrate, score, write, compare; return 1 when a form is not within ``--max-drop``."""
    precisions = _listed("--precision", args.precision, PRECISIONS)
    formats = _listed("--format", args.format, FORMATS)
    _check(args, formats if "int8" in precisions else [])
    out = Path(args.out)
    before = written(out)
    with saying(lambda: f"quantize; {left(out, before)}"), locked_folder(out):
        return _quantize(args, out, precisions, formats)


def _quantize(args: argparse.Namespace, out: Path, precisions: list[str], formats: list[str]) -> int:
    started = time.perf_counter()
    model = load_model(args)
    data = quantize_data.open_data(args, model.net.spec.class_names)
    print(data.note)

    from gluon_yolo.cli import quantize_forms as forms
    from gluon_yolo.exporters.quantize.calibrate import read
    from gluon_yolo.exporters.verify import WrongResults
    from gluon_yolo.inference.runtimes.mxnet import from_block, has_bfloat16

    request = _request(args, model)
    reference = from_block(model.net)
    accuracy_drop = _judge(data, reference, request)
    scores = ", ".join(f"{SHOWN[key]} {100 * accuracy_drop.baseline[key]:.2f}" for key in accuracy_drop.keys)
    print(f"float32: {scores}; at most {args.max_drop:.2f} points may be lost")

    missed: list[str] = []
    try:
        made = forms.in_float(request, formats if "int8" in precisions else ["symbol"], accuracy_drop)
        if "int8" in precisions:
            images = read(
                data.calibration, range(len(data.calibration)), request.size_hw, Preprocess(request.fit)
            )
            more, missed = forms.in_int8(
                request, formats, reference, images, accuracy_drop, args.max_drop, args.method, out / "int8"
            )
            made += more
        if "bfloat16" in precisions and has_bfloat16():
            made += forms.in_bfloat16(request, accuracy_drop, out / "bfloat16")
        elif "bfloat16" in precisions:
            print("bfloat16 is not written: this processor does not compute in it (avx512_bf16)")
    except WrongResults as error:
        print(f"error: {typed(str(error))}", file=sys.stderr)
        return 1
    rows = [row for row, _ in made]
    for row, took in zip(rows, time_side_by_side([network for _, network in made], request.size_hw)):
        row.milliseconds = took
    missed += [
        f"{row.format} {row.precision} loses {accuracy_drop.lost(row.numbers):.2f} points, "
        f"more than --max-drop {args.max_drop:.2f}"
        for row in rows
        if row.precision != "float32"
        and row.runtime == forms.RUNS_IN[row.format]
        and accuracy_drop.lost(row.numbers) > args.max_drop
    ]
    about = {**_about(args, data, accuracy_drop, request), "seconds": time.perf_counter() - started}
    write_report(out / "report.json", about, rows)
    say(out, about, rows, accuracy_drop.keys, missed)
    return 1 if missed else 0


def _listed(flag: str, text: str, known: Sequence[str]) -> list[str]:
    """Return the words of a flag with commas between, each once.

    Raises:
        UserError: one of them is unknown.
    """
    words = list(dict.fromkeys(text.split(",")))
    for word in words:
        if word not in known:
            raise UserError(f"{flag} {word}: expected {' or '.join(known)}, or both with a comma between")
    return words


def _check(args: argparse.Namespace, formats: Sequence[str]) -> None:
    """Check what can be wrong before anything is loaded.

    Raises:
        UserError: something is.
        MissingDependency: a package is absent that a format needs.
    """
    if args.size:
        parse_size(args.size)
    check_one_model(args, args.run, "MODEL")
    check_outputs({}, {"--out": args.out})
    for package in ("onnx", "onnxruntime") if "onnx" in formats else ():
        import_package(package)


def _request(args: argparse.Namespace, model: Model) -> Request:
    from gluon_yolo.exporters.request import Request, checked_name

    size_hw = parse_size(args.size) if args.size else model.size_hw
    name = checked_name(model.net, args.name or model.name, size_hw)
    return Request(model.net, name, size_hw, suppression=nms_options_of(args, model), fit=model.fit)


def _judge(data: quantize_data.Data, reference: Any, request: Request) -> AccuracyDrop:
    """Return what scores the forms: the data's labels, or what the network in float finds."""
    from gluon_yolo.evaluation.accuracy_drop import AccuracyDrop, found_by
    from gluon_yolo.inference.predictor import Predictor

    spec, size_hw, fit = request.net.spec, request.size_hw, Preprocess(request.fit)
    scoring, threshold, most = (
        data.scoring,
        request.suppression.nms_threshold,
        request.suppression.max_detections,
    )
    if not data.labelled:
        print(
            f"{scoring.report.title}: every form is held to what the model in float32 finds from a score of "
            f"{SHOWN_SCORE} on (mAP50 of the one against the other)"
        )
        predictor = Predictor(reference, spec, size_hw, SHOWN_SCORE, threshold, most, fit)
        scoring = found_by(predictor, scoring)
    quantize_data.warn_of_few(scoring)
    return AccuracyDrop(
        reference,
        scoring,
        spec,
        size_hw,
        fit,
        threshold,
        agreement=not data.labelled,
        coco=data.coco,
        spellings=data.spellings,
        max_detections=most,
    )


def _about(
    args: argparse.Namespace, data: quantize_data.Data, accuracy_drop: AccuracyDrop, request: Request
) -> dict[str, Any]:
    """Return what the report is about."""
    return {
        "model": args.run or f"{args.network} {args.weights}",
        "name": request.name,
        "data": args.data,
        "pictures": {"calibration": len(data.calibration), "scoring": len(data.scoring), "drawn": data.note},
        "size_hw": list(request.size_hw),
        "scores": "VOC mAP50 against what the model in float finds"
        if accuracy_drop.agreement
        else accuracy_drop.keys,
        "max_drop": args.max_drop,
    }
