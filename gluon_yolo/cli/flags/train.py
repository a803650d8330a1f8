"""Training flags: their declaration; the defaults are those of ``TrainConfig``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from typing import Any

from gluon_yolo.cli.calling import flag_of
from gluon_yolo.cli.flags.data import add_data_arguments
from gluon_yolo.cli.flags.engine import add_engine_arguments, add_process_arguments
from gluon_yolo.cli.flags.losses import add_loss_arguments
from gluon_yolo.cli.flags.setting import add_setting as _add
from gluon_yolo.cli.parser import Joined
from gluon_yolo.data.transforms import TRANSFORMS
from gluon_yolo.training.config import PLAIN_DEFAULTS, Args
from gluon_yolo.training.config_check import VAL_METRICS, WORKER_TYPES
from gluon_yolo.training.config_forms import PROFILED
from gluon_yolo.training.lr_schedule import MODES
from gluon_yolo.training.recipes import RECIPES

Flags = Args  # the values of flags by name with underscores, as in args.json
DEFAULTS: Mapping[str, Any] = PLAIN_DEFAULTS


def flag_words(flags: Mapping[str, Any]) -> str:
    """Return flags as text for the command line."""
    words = ((flag_of(name), value) for name, value in flags.items())
    return " ".join(flag if value is True else f"{flag} {shlex.quote(str(value))}" for flag, value in words)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags. Each is None until given: recipes and resumed runs depend on what is given."""
    first = parser.add_argument_group("first of all")
    add_data_arguments(parser, first)
    _add_first(first)
    _add_sizes(parser.add_argument_group("input sizes and anchors"))
    _add_start(parser.add_argument_group("starting weights, and what stays as it is"))
    _add_rate(parser.add_argument_group("length and learning rate"))
    add_loss_arguments(parser.add_argument_group("losses and regularisation"))
    devices = parser.add_argument_group("devices and speed")
    add_engine_arguments(devices)
    _add_devices(devices)
    add_process_arguments(parser.add_argument_group("several processes and hosts, with torch's engine"))
    _add_kept(parser.add_argument_group("validation, and what is kept"))
    _add_file(parser.add_argument_group("settings in a file"))


def _number(text: str) -> float:
    """Return a whole number as int, and any other number as float."""
    return int(text) if text.isdecimal() else _floats(text)[0]


def _count_or_auto(text: str) -> int | str:
    """Return a whole number, or the word auto."""
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number or auto, got {text!r}") from error


def _factors(text: str) -> float | str:
    """Return one factor as a number, and several, with commas, as text."""
    factors = _floats(*text.split(","))
    return factors[0] if len(factors) == 1 else text


def _floats(*words: str) -> list[float]:
    """Return words as numbers; argparse reports one that is not a number."""
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected numbers, got {','.join(words)!r}") from error


def _add_first(group: Any) -> None:
    network = (
        "what to train: mobilenet1_0, mobilenet0_25, mobilenetv2_1_0, darknet53, fastestv2, ..., or a "
        "darknet .cfg, whose [net] then gives the defaults of the run. For phones and boards take fastestv2 "
        "or a .cfg such as MobileNetV2-YOLOv3-Nano's; `gluon-yolo summary NAME` counts what one costs"
    )
    purposes = "; ".join(f"{name}: {recipe.purpose}" for name, recipe in RECIPES.items())
    weights = (
        "start from these weights, as far as they fit, which saves most of the training: a run's (RUN or "
        "RUN/best: its best, RUN/last: its last), or a file of ours, of GluonCV's (.params), darknet's "
        "(.weights, .conv.57) or Yolo-FastestV2's (.pth)"
    )
    batch = (
        "pictures a step, over all devices; on a CPU 8, where nothing else is said; auto: as many as fit in "
        "memory. Fewer need less memory; with half as many give half the --lr"
    )
    shape = "input size, of training and validation. Larger finds smaller objects, and takes time by its area"
    augment = (
        "how pictures are changed for training: light, overhead for pictures without an upper side, yolo3 "
        "for thousands of pictures, none; or transforms with commas between, such as mosaic,light or "
        "color(hue_degrees=9),affine(scale=0.5:1.5,degrees=10),flip,letterbox. "
        f"Transforms: {', '.join(TRANSFORMS)}. See them: gluon-yolo data show"
    )
    gpus = 'GPUs to train on; "" is the CPU (default: GPU 0 if usable, else the CPU)'
    resume = (
        "go on with a run that was stopped, to the same weights as without the break. Its settings are those "
        "of its args.json; only --gpus, --cpu-devices, --memory, -j and --worker-type may be given anew, the "
        "--engine with its --precision, --compile and --deterministic, --hosts and what belongs to them, "
        "more --epochs, --patience and --hours, "
        "--report, --tensorboard and --jsonl, and where its data lies by now: --data, --data-root, "
        "--classes, --class-map; and its --teacher. "
        "With FILE, a .params file: start a run from it, at --start-epoch"
    )
    _add(group, "--recipe", choices=sorted(RECIPES), help=f"other defaults, for a purpose. {purposes}")
    _add(group, "--network", metavar="NAME|CFG", help=network)
    _add(group, "--weights", metavar="FILE|RUN", help=weights)
    _add(
        group,
        "--epochs",
        help="how often every picture is seen; more for few pictures, or from random weights",
    )
    _add(group, "--batch-size", type=_count_or_auto, metavar="N|auto", help=batch)
    _add(group, "--data-shape", metavar="N|HxW", help=shape)
    _add(group, "--augment", metavar="NAMES", help=augment)
    _add(group, "--gpus", metavar="0,1", help=gpus)
    _add(group, "--resume", metavar="RUN|FILE", help=resume)


def _add_sizes(group: Any) -> None:
    shapes = (
        "train at these sizes, multiples of 32, drawn at random, so that objects of any size are found; such "
        "as 320,416,320x480 (height first). The largest decides how much memory is needed. A CPU "
        "keeps to --data-shape, unless they are given"
    )
    fixed = (
        "train at --data-shape only, as a CPU does by default: quicker, in less memory; for objects that are "
        "always about as large"
    )
    anchors = (
        "own: the network's, YOLOv3's nine mostly; better: found on the training pictures at --data-shape, "
        "each level's for the boxes that it answers for, where that gains 0.1 of mean overlap; auto: found "
        "as `gluon-yolo data anchors` finds them, for boxes that are all small, or long and thin, in long "
        "trainings; or its file; or a list such as 10,13,16,30,33,23 (default: own)"
    )
    pyramid = (
        "a spatial pyramid pooling in YOLOv3's neck, as in yolov3-spp: each cell of the coarsest level sees "
        "the largest values around it; the network is then called NAME_spp"
    )
    _add(group, "--random-shapes", metavar="N,HxW", help=shapes)
    _add(group, "--shape-interval", help="batches of one drawn size in a row")
    _add(group, "--no-random-shape", help=fixed)
    _add(group, "--spp", help=pyramid)
    _add(group, "--anchors", metavar="own|better|auto|FILE|LIST", help=anchors)


def _add_start(group: Any) -> None:
    whole = "start from GluonCV's weights of the whole detector, or, with FILE, as --weights FILE"
    base = (
        "start the backbone from published ImageNet weights (`gluon-yolo weights` lists them); auto: if they "
        "can be had. Or from the backbone in FILE, of any kind that --weights takes, or torchvision's or "
        "timm's (.pth, .safetensors); in URL#sha256=HEX; or in OWNER/NAME on Hugging Face"
    )
    frozen = (
        "keep these as they are loaded, where there are very few pictures: the first N layers (of a darknet "
        "network by darknet's count, so that 57 goes with NAME.conv.57), or all whose names begin so, as "
        "backbone; several with commas between"
    )
    statistics = "keep batch normalisation as the loaded weights have it, for batches of one or two pictures"
    _add(group, "--pretrained-base", metavar="auto|yes|no|FILE|URL|NAME", help=base)
    _add(group, "--pretrained", nargs="?", const=True, metavar="FILE", help=whole)
    _add(group, "--freeze", action=Joined, metavar="N|NAME", help=frozen)
    _add(group, "--freeze-bn", help=statistics)
    _add(group, "--start-epoch", help="first epoch, with --resume FILE")


def _add_rate(group: Any) -> None:
    rate = "learning rate after the warm-up. Lower where the loss jumps or is not finite"
    decay = "factor at each decay epoch; or, with commas between, one for each"
    cosine = (
        "epoch, of those from the start, at which --lr-mode cosine ends and stays, as T_max of PyTorch and "
        "MindSpore: the rate changes once an epoch then; 0: the last step, and it changes every step"
    )
    power = "exponent of the warm-up; 1: a straight line, 4: darknet's"
    warm = "epochs, perhaps a part of one, in which the rate rises; more where the first loss is not finite"
    _add(group, "--lr", metavar="X", help=rate)
    _add(group, "--lr-mode", choices=MODES, help="how it falls; exponential: by --lr-decay an epoch")
    _add(group, "--lr-decay", type=_factors, metavar="X,X", help=decay)
    _add(group, "--lr-decay-epoch", metavar="E,E", help="epochs at which it decays, of --lr-mode step")
    _add(group, "--lr-decay-period", type=_number, help="decay every so many epochs instead; 0: not")
    _add(group, "--lr-power", metavar="X", help="exponent of --lr-mode poly")
    _add(group, "--target-lr", metavar="X", help="where --lr-mode poly and cosine end")
    _add(group, "--cosine-epochs", help=cosine)
    _add(group, "--warmup-epochs", type=_number, help=warm)
    _add(group, "--warmup-lr", metavar="X", help="learning rate that the warm-up starts from")
    _add(group, "--warmup-power", metavar="X", help=power)
    _add(group, "--num-samples", help="pictures per epoch, drawn anew for each; 0 or -1: all")


def _add_devices(group: Any) -> None:
    norm = "normalise over the batch of all devices: where each has fewer than about eight pictures"
    cpus = "use N CPU contexts in the place of GPUs, to try training on several devices without them"
    there = "memory that a training on the CPU may take (default: what the machine or the container has left)"
    workers = "threads or processes that prepare pictures; more where the log says that it waits for data"
    kinds = "what these are; auto: threads up to four, which share one memory, else processes, which scale"
    profile = f"record N steps of the first epoch ({PROFILED} if not said) with the engine's profiler"
    _add(group, "--syncbn", help=norm)
    _add(group, "--cpu-devices", help=cpus)
    _add(group, "--memory", type=float, metavar="GB", help=there)
    _add(group, "-j", "--num-workers", help=workers)
    _add(group, "--worker-type", choices=WORKER_TYPES, help=kinds)
    _add(group, "--profile", nargs="?", const=PROFILED, metavar="N", help=profile)


def _add_kept(group: Any) -> None:
    best = (
        "which score decides the best epoch: fitness, 0.9 of COCO's AP and 0.1 of its AP50; coco, its AP "
        "alone; voc07, Pascal VOC's over eleven recalls, or voc, the area under the curve, as darknet's map, "
        "both at IoU 0.5. auto: fitness, or voc07 where pycocotools is missing"
    )
    most = (
        "detections of a picture in validation at most, and in the model's later use; more for pictures of "
        "more objects"
    )
    every = "epochs between validations, which cost time; the last epoch has one in any case"
    patience = (
        "end the training after so many validations without a better score, as a finished one; 0: train "
        "all --epochs"
    )
    hours = (
        "end the training with the last whole epoch that fits into so many hours; 0: no limit. The rate "
        "follows --epochs, so give about as many as fit"
    )
    back = (
        "how often a run whose loss is not finite goes back to its last checkpoint, and on from there with "
        "half the learning rate; 0: it stops"
    )
    called = (
        "what the run is called: its folder, and what is exported of it (default: the data's folder; the "
        "run's own folder is then called after the network)"
    )
    report = (
        "write RUN/report.html as the run goes: curves, scores, labels, the worst and best pictures, "
        "settings; one file for a browser, which needs no network"
    )
    events = "write TensorBoard's event files into RUN/tensorboard"
    lines = "write RUN/log.jsonl: an object a line for every --log-interval steps and for each epoch"
    place = "the run's folder is PREFIX, --name or else the network, and a number"
    _add(group, "--name", metavar="NAME", help=called)
    _add(group, "--save-prefix", metavar="PREFIX", help=place)
    _add(group, "--val-interval", help=every)
    _add(group, "--val-metric", choices=VAL_METRICS, help=best)
    _add(group, "--max-detections", metavar="K", help=most)
    _add(group, "--patience", help=patience)
    _add(group, "--hours", metavar="X", help=hours)
    _add(group, "--rollbacks", help=back)
    _add(
        group, "--save-interval", help="epochs between snapshots that are kept beside best and last, 0: none"
    )
    _add(group, "--log-interval", help="batches between log lines")
    _add(group, "--report", help=report)
    _add(group, "--tensorboard", help=events)
    _add(group, "--jsonl", help=lines)
    _add(group, "--seed", help="of everything random; another one tells how much of a score is chance")


def _add_file(group: Any) -> None:
    config = (
        "settings of a YAML or JSON file, by the names of these flags; flags that are given count more. A "
        "run's config.yaml repeats the run"
    )
    _add(group, "--config", metavar="FILE", help=config)
