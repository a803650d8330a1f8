"""``import caffe``: convert a prototxt and its caffemodel to a model folder."""

from __future__ import annotations

import argparse

from gluon_yolo.cli.calling import typed

HELP = """\
Turn a network of face landmarks, as Caffe has it, into a folder that export and demo --landmarks take.
Neither Caffe nor protoc is needed. A layer or parameter that is not known here is an error with the layer's
name.

  gluon-yolo import caffe landmark106.prototxt landmark106.caffemodel --task landmarks --colour bgr \\
      --mean 127.5 --scale 127.5 --out models/landmark106
  gluon-yolo export models/landmark106 --format onnx,ncnn --out exported/landmark106
  gluon-yolo demo --model FACES --landmarks exported/landmark106 people.jpg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``import caffe``."""
    parser.add_argument("prototxt", metavar="PROTOTXT", help="the layers: a .prototxt file")
    parser.add_argument("caffemodel", metavar="CAFFEMODEL", help="their weights: a .caffemodel file")
    task_help = "what it is for: landmarks, x and y of each point as shares of a face's crop"
    parser.add_argument("--task", required=True, metavar="TASK", help=task_help)
    colour_help = "order of the channels that it takes: bgr or rgb (default: %(default)s)"
    parser.add_argument("--colour", default="bgr", metavar="ORDER", help=colour_help)
    mean_help = "subtracted from pixels 0..255: a number, or three in that order (default: %(default)s)"
    parser.add_argument("--mean", default="0", metavar="M[,M,M]", help=mean_help)
    scale_help = "what they are divided by then: a number, or three (default: %(default)s)"
    parser.add_argument("--scale", default="1", metavar="S[,S,S]", help=scale_help)
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new, or empty")


def run(args: argparse.Namespace) -> int:
    """Import the model and print what was read."""
    from gluon_yolo.api.import_caffe import import_caffe

    done = import_caffe(
        args.prototxt,
        args.caffemodel,
        args.out,
        task=args.task,
        colour=args.colour,
        mean=args.mean,
        scale=args.scale,
    )
    print(typed(str(done)))
    return 0
