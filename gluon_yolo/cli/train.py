"""``train``: parse the flags, call :func:`gluon_yolo.api.train.train`, print the result."""

from __future__ import annotations

import argparse

from gluon_yolo.cli import set_up_messages
from gluon_yolo.cli.finished import say_finished
from gluon_yolo.cli.flags.train import add_train_arguments

HELP = """\
Train a detector on pictures and boxes, validate it after every epoch, and keep everything in runs/NAME.

Your own pictures, in Pascal VOC's XML, COCO's JSON, YOLO's text, RecordIO, keras-yolo3's list or WIDER FACE's
text, on this machine (its first GPU, else its CPU). See first what is in them:
  gluon-yolo data check my_data
  gluon-yolo train --data my_data --recipe auto

A network for phones, from darknet's weights; its classes become those of the data:
  gluon-yolo train --data my_data --recipe auto --network nano.cfg --weights nano.weights

Ctrl-C and SIGTERM save. Go on with what was stopped or killed:
  gluon-yolo train --resume runs/NAME

As published for VOC and COCO, on eight GPUs:
  gluon-yolo train --network mobilenet1_0 --dataset voc --gpus 0,1,2,3,4,5,6,7 \\
      --batch-size 64 -j 16 --lr-decay-epoch 160,180 --epochs 200 --syncbn --warmup-epochs 4
  gluon-yolo train --network mobilenet1_0 --dataset coco --gpus 0,1,2,3,4,5,6,7 \\
      --batch-size 64 -j 32 --lr-decay-epoch 220,250 --epochs 280 --syncbn --warmup-epochs 2 \\
      --mixup --no-mixup-epochs 20 --label-smooth --no-wd
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``train``."""
    add_train_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train and print where the results are; return 128 plus the number of a signal that stopped the run."""
    from gluon_yolo.api.train import train
    from gluon_yolo.training.processes import start

    start.prepare_with(set_up_messages)
    given = {name: value for name, value in vars(args).items() if value is not None and value is not False}
    result = train(given.pop("config", None), **given)
    if not result.trained:
        if start.is_first():  # the other processes of torchrun would say the same
            say_finished(result)
    elif result.stopped is not None:
        return 128 + result.stopped
    elif result.best_score is not None:
        best = f"{result.score_key} {result.best_score:.4f}, epoch {result.best_epoch}"
        print(f"done: best weights {result.best_weights} ({best})")
    return 0
