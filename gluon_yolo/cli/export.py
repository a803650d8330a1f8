"""``export``: write a trained model as files that stand alone."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.cli.model_flags import (
    add_network_arguments,
    add_threshold_arguments,
    check_one_model,
    class_names_of,
    parse_size,
)
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_file import RUN_RECORD, ModelFile, find_model_file, weights_of

HELP = """\
Write a trained or imported network as files for other programs, in one of these formats:

symbol   NAME-symbol.json and NAME-0000.params, which mxnet runs without this package, and NAME.json, which
         says what they are. Pixels go in as plain RGB, 0..255, (B, H, W, 3); what comes out is up to --cut:

  nms       class ids (B, K, 1), scores (B, K, 1), boxes (B, K, 4) in input pixels, rows of -1 filling up
  decoded   a box (B, N, 4) and class scores (B, N, C) for each anchor, for suppression elsewhere
  raw       the network's maps, for decoding elsewhere

onnx     NAME.onnx and NAME.json, for ONNX Runtime, OpenVINO and whatever reads ONNX (opset 13); the same
         input, outputs and cuts; any batch and size. Prints how far its boxes are from the network's

ncnn     NAME.param, NAME.bin and NAME.json, for phones and boards: float32 RGB planes 0..255 in, as
         Mat::from_pixels makes them, the raw maps out; gluon_yolo/inference/decode.py decodes them

darknet  NAME.cfg, NAME.weights and NAME.names, of a network that came from a cfg

The files are tried on a random picture before they appear.

  gluon-yolo export runs/cells --out exported
  gluon-yolo export models/nano --format darknet --out for_darknet
  gluon-yolo export --network yolo3_mobilenet1.0_voc --weights FILE.params --size 320x416 --out exported
"""


@dataclasses.dataclass(frozen=True)
class Model:
    """What is to be exported.

    Args:
        net: the network with its weights.
        size_hw: of its input in pixels.
        fit: how pictures are brought to that size.
        origin: of an imported model, where it comes from.
    """

    net: Any
    size_hw: tuple[int, int]
    fit: str
    origin: dict[str, Any] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``export`` takes."""
    run_help = "a run's or an imported model's folder (its best weights), or a weights file in it"
    parser.add_argument("run", nargs="?", metavar="RUN", help=run_help)
    add_network_arguments(parser)
    parser.add_argument("--classes", metavar="FILE", help="class names of --network, one a line")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--format", choices=tuple(FORMATS), default="symbol", help="(default: %(default)s)")
    parser.add_argument("--name", help="stem of the files (default: the network's name)")
    parser.add_argument(
        "--size", metavar="N|HxW", help="input size that the files suggest (default: the model's own)"
    )
    parser.add_argument(
        "--cut", choices=("nms", "decoded", "raw"), default="nms", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--storage",
        choices=("float32", "float16"),
        default="float32",
        help="of ncnn's weights; float16 halves the file (default: %(default)s)",
    )
    group = parser.add_argument_group("written into the graph with --cut nms")
    add_threshold_arguments(group, 0.01)
    group.add_argument(
        "--max-detections", type=int, default=100, metavar="K", help="rows per picture (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Load, export, and say how to use it."""
    for name, value in (("--nms-threshold", args.nms_threshold), ("--score-threshold", args.score_threshold)):
        if not 0 <= value <= 1:
            raise UserError(f"{name} {value}: must lie within 0 and 1")
    if args.max_detections < 1:
        raise UserError(f"--max-detections {args.max_detections}: expected 1 or more")
    size_hw = parse_size(args.size) if args.size else None
    check_one_model(args, args.run, "RUN")
    if (Path(args.out) / RUN_RECORD).is_file():
        raise UserError(
            f"{args.out}: is the folder of a run or of an imported model; choose another with --out"
        )
    if args.format not in ("symbol", "onnx") and args.cut != "nms":
        raise UserError(f"--cut {args.cut} is of --format symbol and onnx, not of {args.format}")
    if args.format != "ncnn" and args.storage != "float32":
        raise UserError(f"--storage {args.storage} is of --format ncnn, not of {args.format}")
    model = _load(args)
    FORMATS[args.format](args, dataclasses.replace(model, size_hw=size_hw or model.size_hw))
    return 0


def _load(args: argparse.Namespace) -> Model:
    """Load the model that the arguments name.

    Raises:
        UserError: when it cannot be loaded, or cannot be exported.
    """
    if not args.run:
        from gluon_yolo.inference.mxnet_runtime import from_weights

        net, known = from_weights(args.network, args.weights, class_names_of(args))
        return Model(net, known.size_hw, known.fit)
    path = Path(args.run)
    file = find_model_file(path)
    record = ModelFile.read(file)
    if record.cut is not None:
        raise UserError(f"{path}: is exported already; export the run that it came from")
    from gluon_yolo.inference.mxnet_runtime import from_record

    net = from_record(record, file.parent, weights_of(path))
    return Model(net, record.size_hw, record.fit, record.origin)


def _export_symbol(args: argparse.Namespace, model: Model) -> None:
    from gluon_yolo.export.symbol import export

    net = model.net
    record = export(
        net,
        args.out,
        name=args.name,
        size_hw=model.size_hw,
        cut=args.cut,
        nms_threshold=args.nms_threshold,
        score_threshold=args.score_threshold,
        max_detections=args.max_detections,
        fit=model.fit,
    )
    files = ", ".join(f"{record.stem}{ending}" for ending in ("-symbol.json", "-0000.params", ".json"))
    print(f"{_about(model)}, cut {args.cut}: {files}")
    use = record if _holds_several(record.parent) else record.parent
    print(
        f"the model is in {record.parent}; use it with: gluon-yolo demo --model {shlex.quote(str(use))} "
        f"PICTURES, or in Python: gluon_yolo.Predictor.load({str(use)!r})(picture)"
    )


def _export_darknet(args: argparse.Namespace, model: Model) -> None:
    from gluon_yolo.darknet.files import header_of
    from gluon_yolo.export.darknet import export

    cfg = export(model.net, args.out, model.size_hw, args.name, model.fit, header_of(model.origin))
    weights, names = (cfg.with_name(f"{cfg.name[: -len('.cfg')]}{end}") for end in (".weights", ".names"))
    print(f"{_about(model)}: {cfg.name}, {weights.name}, {names.name}")
    words = " ".join(shlex.quote(str(path)) for path in (cfg, weights))
    print(f"the model is in {cfg.parent}; darknet takes it: darknet detector test FILE.data {words} PICTURE")


def _export_onnx(args: argparse.Namespace, model: Model) -> None:
    from gluon_yolo.export.onnx import export
    from gluon_yolo.export.onnx_suppression import Suppression

    most = min(args.max_detections, Suppression.max_candidates)
    suppression = Suppression(args.nms_threshold, args.score_threshold, max_detections=most)
    record, parity = export(model.net, args.out, args.name, model.size_hw, args.cut, suppression, model.fit)
    print(f"{_about(model)}, cut {args.cut}: {record.stem}.onnx, {record.name}")
    _say_parity(record, parity, "any program that runs ONNX")


def _export_ncnn(args: argparse.Namespace, model: Model) -> None:
    from gluon_yolo.export.ncnn import export

    record, parity = export(model.net, args.out, args.name, model.size_hw, args.storage, model.fit)
    print(f"{_about(model)}: {record.stem}.param, {record.stem}.bin, {record.name}")
    _say_parity(record, parity, "any program with ncnn")


def _say_parity(record: Path, parity: Any, others: str) -> None:
    print(parity)
    place = shlex.quote(str(record))
    print(
        f"the model is in {record.parent}; use it with: gluon-yolo demo --model {place} PICTURES, or {others}"
    )


FORMATS: dict[str, Callable[[argparse.Namespace, Model], None]] = {
    "symbol": _export_symbol,
    "onnx": _export_onnx,
    "ncnn": _export_ncnn,
    "darknet": _export_darknet,
}


def _about(model: Model) -> str:
    """Say what is exported."""
    count, (height, width) = model.net.spec.num_classes, model.size_hw
    return f"{model.net.zoo_name}, {count} class{'es' if count > 1 else ''}, input {height}x{width}"


def _holds_several(folder: Path) -> bool:
    try:
        find_model_file(folder)
    except UserError:
        return True
    return False
