"""``export``: write a trained model as files that stand alone."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.flags.model import (
    add_network_arguments,
    add_threshold_arguments,
    check_one_model,
    class_names_of,
    parse_size,
)
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import check_outputs, saying
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import made_name
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.model_record import find_model_record, weights_of
from gluon_yolo.nms import LEAST_SCORE, USUAL_DETECTIONS
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.exporters.api import Exported
    from gluon_yolo.exporters.request import NMSOptions

HELP = """\
Write a trained or imported network as files for other programs, in one format or several (A,B,C):

symbol    NAME-symbol.json, NAME-0000.params: mxnet runs them without this package
onnx      NAME.onnx (opset 13), for ONNX Runtime, OpenVINO and whatever reads ONNX
openvino  NAME-openvino.xml, NAME-openvino.bin, by OpenVINO's own converter
mnn       NAME.mnn, by MNN's own converter, for phones
ncnn      NAME.param, NAME.bin, for phones and boards: float32 RGB planes 0..255 in, as Mat::from_pixels makes
          them, the raw maps out; gluon_yolo/inference/decode.py decodes them
darknet   NAME.cfg, NAME.weights, NAME.names, of a network that came from a cfg

and NAME.json, which says what they are. But for ncnn and darknet, pixels go in as plain RGB 0..255,
(B, H, W, 3), any batch and size; what comes out is up to --cut:

  nms       class ids (B, K, 1), scores (B, K, 1), boxes (B, K, 4) in input pixels, rows of -1 filling up
  decoded   a box (B, N, 4) and class scores (B, N, C) for each anchor, for suppression elsewhere
  raw       the network's maps, for decoding elsewhere

Each file is run on the same pictures as the network before any of them appears; how far its boxes and scores
are from the network's is printed, and more than a bound ends the command with nothing written. A folder holds
one model at one precision: further formats of it can be added, another one takes its place.

  gluon-yolo export runs/cells --out exported
  gluon-yolo export runs/cells --format symbol,onnx,ncnn,openvino,mnn --out exported
  gluon-yolo export runs/cells --format ncnn,mnn --precision float16 --out small
  gluon-yolo export runs/cells --format onnx --fixed-size --out for_opencv
  gluon-yolo export models/nano --format darknet --out for_darknet
  gluon-yolo export --network yolo3_mobilenet1.0_voc --weights FILE.params --size 320x416 --out exported
"""


@dataclasses.dataclass(frozen=True)
class Model:
    """What is to be exported.

    Args:
        net: the network with its weights.
        size_hw: of its input in pixels.
        fit: how images are brought to that size.
        origin: of an imported model, where it comes from.
        name: what it is called: a run's name, an exported model's stem of the files.
        max_detections: detections of an image at most that it was trained or exported for.
    """

    net: Any
    size_hw: tuple[int, int]
    fit: str
    origin: dict[str, Any] | None = None
    name: str | None = None
    max_detections: int = USUAL_DETECTIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``export`` takes."""
    run_help = (
        "a run's or an imported model's folder (its best weights; RUN/last: its last), a weights file in it, "
        "or an exported model's folder that holds a symbol in float32"
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help=run_help)
    add_network_arguments(parser)
    parser.add_argument("--classes", metavar="FILE", help="class names of --network, one a line")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--format",
        default="symbol",
        metavar="FORMAT[,FORMAT...]",
        help="one or several of those above (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        help="stem of the files (default: the run's or exported model's name, else the network's)",
    )
    parser.add_argument(
        "--size", metavar="N|HxW", help="input size that the files suggest (default: the model's own)"
    )
    parser.add_argument(
        "--cut",
        choices=("nms", "decoded", "raw"),
        help="where the graph ends (default: nms; decoded for mnn and with --fixed-size; raw for ncnn)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="of the weights: bfloat16 for symbol and openvino (which stores float32 and computes in it); "
        "float16, which halves the file, for ncnn, openvino, mnn (default: %(default)s)",
    )
    fixed_help = (
        "let onnx, openvino and mnn files take pictures of --size alone, and end at decoded unless --cut "
        "says otherwise: for OpenCV 4 and other readers that want to know all sizes"
    )
    parser.add_argument("--fixed-size", action="store_true", help=fixed_help)
    parser.add_argument(
        "--batch-size",
        type=int,
        action=Within,
        least=1,
        metavar="B",
        help="pictures that the files take at once with --fixed-size (default: 1; without it, any number)",
    )
    parser.add_argument(
        "--fuse", action="store_true", help="fold a symbol's batch norms into its convolutions"
    )
    add_nms_arguments(parser.add_argument_group("written into the graph with --cut nms"))


def add_nms_arguments(group: Any) -> None:
    """Declare what a graph's own suppression has for thresholds."""
    add_threshold_arguments(group, LEAST_SCORE)


def nms_options_of(args: argparse.Namespace, model: Model) -> NMSOptions:
    """Return the thresholds that the arguments name, and the rows, which are else the model's own."""
    from gluon_yolo.exporters.request import NMSOptions

    rows = args.max_detections or model.max_detections
    return NMSOptions(args.nms_threshold, args.score_threshold, max_detections=rows)


def run(args: argparse.Namespace) -> int:
    """Load, export, and say how near the files are to the network and how to use them."""
    size_hw = parse_size(args.size) if args.size else None
    if args.batch_size is not None and not args.fixed_size:
        raise UserError(
            f"--batch-size {args.batch_size}: goes with --fixed-size; without it the files take any batch"
        )
    check_one_model(args, args.run, "RUN")
    check_outputs({}, {"--out": args.out})
    from gluon_yolo.exporters.verify import WrongResults

    try:
        with saying(lambda: f"export; nothing is written to {args.out}"):
            model, done = _export(args, size_hw)
    except WrongResults as error:
        print(f"error: {typed(str(error))}", file=sys.stderr)
        return 1
    _say(model, done, args)
    return 0


def _export(args: argparse.Namespace, size_hw: tuple[int, int] | None) -> tuple[Model, Exported]:
    from gluon_yolo.exporters.api import export
    from gluon_yolo.weights.darknet_model import header_of

    model = load_model(args)
    model = dataclasses.replace(model, size_hw=size_hw or model.size_hw)
    done = export(
        model.net,
        args.out,
        formats=args.format.split(","),
        name=args.name or model.name,
        size_hw=model.size_hw,
        cut=args.cut,
        precision=args.precision,
        fuse=args.fuse,
        suppression=nms_options_of(args, model),
        fit=model.fit,
        header=header_of(model.origin),
        fixed_batch=(args.batch_size or 1) if args.fixed_size else None,
    )
    return model, done


def load_model(args: argparse.Namespace) -> Model:
    """Load the model that the arguments name: ``run``, or ``network`` and ``weights`` with ``classes``.

    Raises:
        UserError: when it cannot be loaded, or cannot be exported.
    """
    if not args.run:
        from gluon_yolo.inference.runtimes.mxnet import from_weights

        net, known = from_weights(args.network, args.weights, class_names_of(args))
        return Model(net, known.size_hw, known.fit)
    path = Path(args.run)
    record, file = read_model(path)
    if not record.is_run:
        from gluon_yolo.exporters import model_dir

        net = model_dir.load(record, file.parent)
        return Model(net, record.size_hw, record.fit, record.origin, record.name, record.max_detections)
    from gluon_yolo.inference.runtimes.mxnet import from_record

    net = from_record(record, file.parent, weights_of(path))
    name = made_name(record.name) or None
    return Model(net, record.size_hw, record.fit, record.origin, name, record.max_detections)


def _say(model: Model, done: Exported, args: argparse.Namespace) -> None:
    """Print what was written, how near it is, and how to use it."""
    classes, (height, width) = counted(model.net.spec.num_classes, "class"), model.size_hw
    precision = "" if args.precision == "float32" else f", {args.precision}"
    print(f"{model.net.zoo_name}, {classes}, input {height}x{width}{precision}")
    if done.removed:
        print(f"removed {', '.join(done.removed)}: {done.reason}")
    wide = max(map(len, done.files))
    for kind, files in done.files.items():
        print(f"{kind:{wide}}  {', '.join(files)}{_alone(kind, args, height, width)}")
        print(f"{'':{wide}}  {done.parities[kind]}")
    if done.kept:
        print(f"there before, of the same weights: {', '.join(done.kept)}")
    if "darknet" in done.files:
        weights, _, cfg = (done.folder / file for file in done.files["darknet"])
        words = " ".join(shlex.quote(str(path)) for path in (cfg, weights))
        print(f"darknet takes it: darknet detector test FILE.data {words} PICTURE")
    if done.record is None:
        files = [shlex.quote(str(done.folder / file)) for file in done.files["darknet"]]
        use = f"gluon-yolo demo --network {files[2]} --weights {files[0]} --classes {files[1]} PICTURES"
        print(typed(f"the model is in {done.folder}; use it with: {use}"))
        return
    use = done.record if _holds_several(done.folder) else done.folder
    line = f"the model is in {done.folder}; use it with: gluon-yolo demo --model {shlex.quote(str(use))} "
    print(typed(f"{line}PICTURES, or in Python: gluon_yolo.Predictor.load({str(use)!r})(picture)"))


def _alone(kind: str, args: argparse.Namespace, height: int, width: int) -> str:
    """Say what a format's files take alone, where that is fixed."""
    from gluon_yolo.exporters.api import FORMATS

    if not (args.fixed_size and FORMATS[kind].fixable):
        return ""
    batch = args.batch_size or 1
    return f", for {batch} picture{'s' * (batch > 1)} of {height}x{width} at a time, and nothing else"


def _holds_several(folder: Path) -> bool:
    try:
        find_model_record(folder)
    except UserError:
        return True
    return False
