"""The command ``train``."""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from gluon_yolo.cli.data_flags import add_data_arguments, log_reports, open_datasets
from gluon_yolo.cli.model_flags import parse_size
from gluon_yolo.engine.recipes import RECIPES
from gluon_yolo.engine.settings import BACKBONE_WEIGHTS, TrainSettings
from gluon_yolo.errors import UserError
from gluon_yolo.metrics.table import class_table

log = logging.getLogger("gluon_yolo")

HELP = """\
Train a detector on pictures and boxes, validate it after every epoch, and keep everything in runs/NAME.

On your own pictures in Pascal VOC layout (Annotations/ and JPEGImages/), on the CPU:
  python train_yolo3_mobilenet.py --network mobilenet1_0 --data-root my_data --gpus "" --recipe small-data

As published for VOC and COCO, on eight GPUs:
  python train_yolo3_mobilenet.py --network mobilenet1_0 --dataset voc --gpus 0,1,2,3,4,5,6,7 --batch-size 64 -j 16 \\
      --lr-decay-epoch 160,180 --epochs 200 --syncbn --warmup-epochs 4
  python train_yolo3_mobilenet.py --network mobilenet1_0 --dataset coco --gpus 0,1,2,3,4,5,6,7 --batch-size 64 -j 32 \\
      --lr-decay-epoch 220,250 --epochs 280 --syncbn --warmup-epochs 2 --mixup --no-mixup-epochs 20 --label-smooth --no-wd

Ctrl-C saves and says how to go on: --resume runs/NAME.
"""
_DEVICE_FLAGS = ("gpus", "cpu_devices", "num_workers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; those that the settings know take their defaults from there."""
    default = {field.name: field.default for field in dataclasses.fields(TrainSettings)}
    add_data_arguments(parser)

    def flag(group: Any, name: str, help: str, **options: Any) -> None:
        """Add a flag that sets the field of its name."""
        field = name.lstrip("-").replace("-", "_")
        if isinstance(default.get(field), bool):
            options["action"] = "store_true"
        else:
            options.setdefault("default", default.get(field))
            help += " (default: %(default)s)"
        group.add_argument(name, help=help, **options)

    network = parser.add_argument_group("network")
    network.add_argument(
        "--network",
        default="mobilenet1_0",
        metavar="NAME",
        help="mobilenet1_0, mobilenet0_25, mobilenetv2_1_0, darknet53, ... (default: %(default)s)",
    )
    network.add_argument(
        "--data-shape",
        default="416",
        metavar="N|HxW",
        help="input size, of training and validation (default: %(default)s)",
    )
    network.add_argument(
        "--no-random-shape",
        action="store_true",
        help="train at --data-shape only, not at 320..608 in steps of 32, a new one every 10 batches",
    )
    flag(network, "--syncbn", "normalise over the batch of all devices")
    flag(network, "--freeze-bn", "keep batch normalisation as the loaded weights have it")
    flag(
        network,
        "--pretrained",
        "start from GluonCV's weights of the whole detector (needs them, or the network)",
    )
    flag(
        network,
        "--pretrained-base",
        "start the backbone from GluonCV's ImageNet weights; auto: if they can be had",
        choices=BACKBONE_WEIGHTS,
    )
    network.add_argument("--weights", metavar="FILE|RUN", help="start from these weights, as far as they fit")

    run = parser.add_argument_group("run")
    run.add_argument(
        "--recipe",
        choices=sorted(RECIPES),
        help="defaults that fit a situation; other flags still win. "
        + "; ".join(f"{name}: {recipe.purpose}" for name, recipe in RECIPES.items()),
    )
    run.add_argument(
        "--gpus", metavar="0,1", help='GPUs to train on; "" is the CPU (default: GPU 0 if it can be used)'
    )
    run.add_argument(
        "--cpu-devices",
        type=int,
        default=0,
        metavar="N",
        help="use N CPU contexts in the place of GPUs, to try multi-device training without them",
    )
    run.add_argument(
        "-j",
        "--num-workers",
        type=int,
        default=default["num_workers"],
        metavar="N",
        help="threads that prepare pictures (default: %(default)s)",
    )
    run.add_argument(
        "--save-prefix",
        default="runs/",
        metavar="PREFIX",
        help="the run's folder is PREFIX and the network's name and a number (default: %(default)s)",
    )
    run.add_argument(
        "--resume",
        metavar="RUN|FILE",
        help="go on with a run, with its own settings; or start from a .params file at --start-epoch",
    )
    flag(run, "--start-epoch", "first epoch, with --resume FILE", type=int)
    flag(run, "--seed", "of everything random", type=int)
    flag(run, "--log-interval", "batches between log lines", type=int)
    flag(run, "--val-interval", "epochs between validations", type=int)
    flag(run, "--save-interval", "epochs between kept snapshots, 0: none", type=int)

    learning = parser.add_argument_group("learning")
    flag(learning, "--epochs", "of the whole training", type=int)
    flag(learning, "--batch-size", "pictures per step, over all devices", type=int)
    flag(learning, "--num-samples", "pictures per epoch; 0: all", type=int)
    flag(learning, "--lr", "learning rate after the warm-up", type=float)
    flag(learning, "--lr-mode", "how it falls", choices=("step", "poly", "cosine"))
    flag(learning, "--lr-decay", "factor at each decay epoch", type=float)
    learning.add_argument(
        "--lr-decay-epoch",
        default="160,180",
        metavar="E,E",
        help="epochs at which it decays (default: %(default)s)",
    )
    flag(learning, "--lr-decay-period", "decay every so many epochs instead; 0: not", type=int)
    flag(learning, "--warmup-lr", "learning rate that the warm-up starts from", type=float)
    flag(learning, "--warmup-epochs", "epochs of linear warm-up", type=int)
    flag(learning, "--momentum", "of stochastic gradient descent", type=float)
    flag(learning, "--wd", "weight decay", type=float)
    flag(learning, "--no-wd", "no weight decay on biases and batch normalisation")
    flag(learning, "--mixup", "mix pairs of pictures")
    flag(learning, "--no-mixup-epochs", "epochs without mixup at the end", type=int)
    flag(learning, "--label-smooth", "soften class targets")
    flag(
        learning,
        "--augment",
        "yolo3: GluonCV's, for large data; light, overhead: gentler; none",
        metavar="NAME",
    )
    _let_recipes_set_defaults(parser)


def _let_recipes_set_defaults(parser: argparse.ArgumentParser) -> None:
    """Make a recipe change defaults before the flags are read, so that flags win over it."""
    parse = parser.parse_args

    def with_recipe(args: Optional[List[str]] = None, namespace: Any = None) -> argparse.Namespace:
        first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        first.add_argument("--recipe")
        chosen = first.parse_known_args(args)[0].recipe
        if chosen in RECIPES:
            parser.set_defaults(**RECIPES[chosen].flags)
        return parse(args, namespace)

    parser.parse_args = with_recipe  # type: ignore[assignment]


def run(args: argparse.Namespace) -> int:
    """Train; print where the results are."""
    from gluon_yolo.engine.log import start_log
    from gluon_yolo.engine.run_folder import RunFolder

    folder = None
    if args.resume and not args.resume.endswith(".params"):
        folder = RunFolder.open(args.resume)
        given = {name: getattr(args, name) for name in _DEVICE_FLAGS}
        kept = folder.args()
        args = argparse.Namespace(**{**kept, **given, "resume": args.resume})
    contexts = _contexts(args)
    resuming = folder is not None
    train_data, val_data, class_names = open_datasets(args)
    settings = _settings(args, class_names)
    if folder is None:
        prefix = Path(args.save_prefix + "x")
        folder = RunFolder.create(prefix.parent, prefix.name[:-1] + settings.network)
        folder.write_args(vars(args))
    stop_log = start_log(folder.log)
    try:
        training = _training(
            settings, train_data, val_data, class_names, folder, contexts, args.dataset, resuming
        )
        result = training.run()
        if result is not None:
            _report(training, result)
    finally:
        stop_log()
    return 0 if result is not None else 130


def _training(settings, train_data, val_data, class_names, folder, contexts, dataset, resuming):
    from gluon_yolo.engine.start import start_network
    from gluon_yolo.engine.train import Training
    from gluon_yolo.inference.model_file import ModelFile

    log.info("run: %s", folder.path)
    log.info("network: %s, %d classes: %s", settings.network, len(class_names), ", ".join(class_names))
    log.info("devices: %s; batch size %d; input %s", ", ".join(map(str, contexts)), settings.batch_size,
             "320..608, a new size every 10 batches" if settings.random_shape
             else "x".join(map(str, settings.data_shape)))  # fmt: skip
    log_reports(train_data, val_data)
    net = start_network(settings, class_names, contexts, fresh=resuming)
    model = ModelFile(settings.network, settings.network, net.spec, settings.data_shape)
    if not resuming:
        folder.write_model(model.to_dict())
    metrics, score_key = _scoring(dataset, val_data, class_names)
    training = Training(settings, net, train_data, val_data, metrics, score_key, folder, contexts)
    if resuming:
        training.resume()
    return training


def _settings(args: argparse.Namespace, class_names: Tuple[str, ...]) -> TrainSettings:
    from gluon_yolo.nn import zoo

    values: Dict[str, Any] = {
        field.name: getattr(args, field.name)
        for field in dataclasses.fields(TrainSettings)
        if hasattr(args, field.name)
    }
    usual = zoo.DATASET_CLASSES.get(args.dataset)
    values["network"] = zoo.canonical(args.network, args.dataset if usual == tuple(class_names) else "custom")
    values["data_shape"] = parse_size(args.data_shape, "--data-shape")
    values["random_shape"] = not args.no_random_shape
    values["lr_decay_epoch"] = _epochs(args.lr_decay_epoch)
    if args.resume and args.resume.endswith(".params"):
        values["weights"] = args.resume
    return TrainSettings(**values)


def _epochs(text: str) -> Tuple[int, ...]:
    words = [word.strip() for word in str(text).split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise UserError(f"--lr-decay-epoch {text!r}: expected epochs with commas between, as 160,180")
    return tuple(int(word) for word in words)


def _contexts(args: argparse.Namespace) -> List[Any]:
    from gluon_yolo import compat
    from gluon_yolo.engine.devices import parse_devices

    gpus = args.gpus
    if gpus is None and not args.cpu_devices:
        try:
            compat.check_gpu(0)
            gpus = "0"
        except UserError as error:
            log.info("training on the CPU: %s", error)
    return parse_devices(gpus or "", args.cpu_devices)


def _scoring(dataset: str, val_data: Any, class_names: Tuple[str, ...]) -> Tuple[List[Any], str]:
    """Return what validation measures, and the key of the score that decides."""
    from gluon_yolo.metrics.coco_ap import COCOMetric
    from gluon_yolo.metrics.voc_ap import VOCMetric

    if dataset == "coco":
        return [COCOMetric.from_dataset(val_data)], "AP"
    return [VOCMetric(class_names)], "VOC07_mAP50"


def _report(training: Any, result: Dict[str, Any]) -> None:
    """Log the last validation's table, the best epoch, and where things are."""
    progress, folder = training.progress, training.folder
    log.info("average precision by class, at the last epoch:\n%s", class_table(result))
    log.info("best: %s %.4f at epoch %d", training.score_key, progress.best_score, progress.best_epoch)
    log.info("log, curves and pictures: %s", folder.path)
    log.info("see it work:  python demo.py --model %s PICTURES", folder.path)
    log.info("ship it:      python -m gluon_yolo export %s --out model", folder.path)
    print(
        f"done: best weights {folder.weights / 'best.params'} "
        f"({training.score_key} {progress.best_score:.4f}, epoch {progress.best_epoch})"
    )
