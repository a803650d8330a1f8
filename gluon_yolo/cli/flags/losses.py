"""The flags of ``train`` for losses, targets and the update of the weights."""

from __future__ import annotations

from typing import Any

from gluon_yolo.cli.flags.setting import add_setting as _add
from gluon_yolo.spec import BOX_LOSSES
from gluon_yolo.training.config_check import ASSIGNER_CHOICES, OPTIMIZERS


def add_loss_arguments(group: Any) -> None:
    """Declare the flags of losses, targets and updates."""
    mixup = "lay pairs of pictures over each other: for thousands of pictures and many epochs"
    smooth = (
        "how much: an object's own class is told 1 - S, every other one S, which those of a softmax share "
        "(default: GluonCV's, the smaller of 1/40 and one over the classes)"
    )
    whole = "epochs at the end without the mosaic of --augment, on pictures as they are in use"
    boxes = "of boxes: YOLOv3's, centre and size apart, or by overlap; auto: the network's own"
    descent = (
        "how weights are updated; adamw takes steps of like size for all weights, with an --lr of 0.001 or "
        "less and a --wd of 0.01 or more"
    )
    ema = (
        "validate, save and export the moving average of the weights, which is steadier than the weights: "
        "where the rate does not end low, as where --hours or --patience end a training early"
    )
    decay = "share of the average that an update keeps: 0.999 averages over about 1000 updates; less for few"
    ramp_up = (
        "updates in which this share grows to two thirds of it, so that first weights are soon forgotten"
    )
    anchors = (
        "which anchors learn an object, with YOLOv3's heads. best_shape: the one of the nearest shape, in "
        "the cell of its centre, as YOLOv3 does; neighbours: the same in the two nearest cells as well; "
        "overlap: all whose shapes overlap it by 0.213; dynamic: those that predict it best at "
        "the time, as SimOTA chooses. auto: best_shape; better: overlap; both leave other heads their own"
    )
    scale = "multiply the losses by it before the backward pass, and divide the gradients, against underflow"
    teacher = (
        "learn from a larger detector too, which sees the same changed pictures: a run of its own on this "
        "data (RUN, RUN/best, RUN/last), an imported or exported model's folder, or, with --teacher-weights, "
        "a network's name or a darknet .cfg. Its classes must be the data's, in any order"
    )
    taught = "weights of a --teacher that is a network's name or a .cfg, such as darknet's .weights"
    known = "class names of that teacher, in the order of its training, one a line"
    share = "how much the teacher's losses count beside those of the annotations"
    _add(group, "--teacher", metavar="RUN|CFG", help=teacher)
    _add(group, "--teacher-weights", metavar="FILE", help=taught)
    _add(group, "--teacher-classes", metavar="FILE", help=known)
    _add(group, "--distil-weight", metavar="W", help=share)
    _add(group, "--box-loss", choices=BOX_LOSSES, help=boxes)
    _add(group, "--assigner", choices=ASSIGNER_CHOICES, help=anchors)
    _add(group, "--mixup", help=mixup)
    _add(group, "--no-mixup-epochs", help="epochs without mixup at the end")
    _add(group, "--no-mosaic-epochs", help=whole)
    _add(
        group, "--label-smooth", help="soften class targets, where classes are easily mistaken for each other"
    )
    _add(group, "--label-smooth-factor", type=float, metavar="S", help=smooth)
    _add(group, "--optimizer", choices=OPTIMIZERS, help=descent)
    _add(group, "--momentum", metavar="X", help="of stochastic gradient descent; of adamw its beta1")
    _add(
        group,
        "--wd",
        metavar="X",
        help="weight decay; more where training scores well and validation does not",
    )
    _add(group, "--no-wd", help="no weight decay on biases and batch normalisation")
    _add(group, "--ema", help=ema)
    _add(group, "--ema-decay", metavar="X", help=decay)
    _add(group, "--ema-ramp-up", metavar="N", help=ramp_up)
    _add(group, "--loss-scale", metavar="X", help=scale)
