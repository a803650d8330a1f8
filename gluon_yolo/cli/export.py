"""``export``: write a trained model as files for other runtimes."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.flags.model import add_network_arguments, add_threshold_arguments, check_one_model
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.outputs import saying
from gluon_yolo.nms import LEAST_SCORE

HELP = """\
Write a trained or imported network as files for other programs, in one format or several (A,B,C):

symbol    NAME-symbol.json, NAME-0000.params: mxnet runs them without this package
onnx      NAME.onnx (opset 13), for ONNX Runtime, OpenVINO and whatever reads ONNX
openvino  NAME-openvino.xml, NAME-openvino.bin, by OpenVINO's own converter
mnn       NAME.mnn, by MNN's own converter, for phones
ncnn      NAME.param, NAME.bin, for phones and boards: float32 RGB planes 0..255 in, as Mat::from_pixels makes
          them, the raw maps out; gluon_yolo/inference/decode.py decodes them
tflite    NAME.tflite (LiteRT), for phones: one batch and one --size; raw maps as (B, H, W, K)
caffe     NAME.prototxt, NAME.caffemodel, with layers of BVLC's Caffe alone: float32 RGB planes 0..255 in, of
          one batch and one --size, the raw maps out
darknet   NAME.cfg, NAME.weights, NAME.names, of a network that came from a cfg

and NAME.json, which says what they are. But for ncnn, caffe and darknet, pixels go in as plain RGB 0..255,
(B, H, W, 3), any batch and size (but for tflite); what comes out is up to --cut:

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``export``."""
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
        help="where the graph ends (default: nms; decoded for mnn, tflite and with --fixed-size; raw for "
        "ncnn and caffe)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16"),
        default="float32",
        help="of the weights: bfloat16 for symbol and openvino (which stores float32 and computes in it); "
        "float16, which halves the file, for ncnn, openvino, mnn, tflite (default: %(default)s)",
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
        help="pictures that the files take at once with --fixed-size (default: 1; without it, any number, "
        "but 1 for tflite and caffe)",
    )
    parser.add_argument(
        "--fuse", action="store_true", help="fold a symbol's batch norms into its convolutions"
    )
    parser.add_argument(
        "--unverified",
        action="store_true",
        help="write caffe files also where they cannot be tried: OpenCV 5 no longer reads them",
    )
    add_nms_arguments(parser.add_argument_group("written into the graph with --cut nms"))


def add_nms_arguments(group: Any) -> None:
    """Declare the thresholds of the NMS in a graph."""
    add_threshold_arguments(group, LEAST_SCORE)


def run(args: argparse.Namespace) -> int:
    """Load the model, export it, and print the differences from the network and how to use the files."""
    check_one_model(args, args.run, "RUN")
    from gluon_yolo.api.export import export
    from gluon_yolo.exporters.verify import WrongResults

    try:
        with saying(lambda: f"export; nothing is written to {args.out}"):
            done = export(
                args.run or args.network,
                args.format,
                args.out,
                weights=args.weights,
                classes=args.classes,
                name=args.name,
                size=args.size or None,
                cut=args.cut,
                precision=args.precision,
                fixed_size=args.fixed_size,
                batch_size=args.batch_size,
                fuse=args.fuse,
                nms_threshold=args.nms_threshold,
                score_threshold=args.score_threshold,
                max_detections=args.max_detections,
                max_candidates=args.max_candidates,
                unverified=args.unverified,
            )
    except WrongResults as error:
        print(f"error: {typed(str(error))}", file=sys.stderr)
        return 1
    print(typed(str(done)))
    return 0
