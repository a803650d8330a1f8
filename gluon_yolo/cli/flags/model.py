"""Model flags: the arguments that name a model, and the predictor that they load."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.cli.flags.tiles import tile_options
from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import AUTO, NMS, RUNTIMES, Predictor
from gluon_yolo.inference.preprocess import MODES, Preprocess
from gluon_yolo.input_size import parse_size
from gluon_yolo.nms import NMS_THRESHOLD, SHOWN_SCORE

log = logging.getLogger("gluon_yolo")

# Files of other programs that need a conversion before they can be used as a model.
_FOREIGN = {
    ".weights": "darknet's weights do not say of which network they are: import both, `gluon-yolo import "
    "darknet FILE.cfg {path} --names NAMES --out DIR`, or give --network FILE.cfg --weights {path} "
    "--classes NAMES",
    ".cfg": "a cfg has no weights: import both, `gluon-yolo import darknet {path} FILE.weights --names NAMES "
    "--out DIR`, or give --network {path} --weights FILE.weights --classes NAMES",
    ".pth": "import it: `gluon-yolo import fastestv2 {path} --names NAMES --out DIR`",
}


def add_model_arguments(parser: argparse.ArgumentParser, score_threshold: float | None = None) -> None:
    """Declare ``--model``, ``--network`` with ``--weights``, and the options of the predictor.

    Args:
        parser: of a command; it also needs ``--classes``, the class names of a custom network.
        score_threshold: the default of ``--score-threshold``; None is the model's own, else 0.3.
    """
    group = parser.add_argument_group("model")
    model_help = (
        "an exported model (its folder, NAME.json or one of its files; an ONNX file may stand alone), an "
        "imported model, or a run: RUN or RUN/best takes its best weights, RUN/last its last"
    )
    group.add_argument("--model", metavar="PATH", help=model_help)
    add_network_arguments(group)
    group.add_argument("--size", metavar="N|HxW", help="input size in pixels (default: the model's own)")
    fit_help = (
        "how pictures are brought to that size (default: the model's own); resize: stretched; letterbox: "
        "with grey margins; darknet: stretched exactly as darknet does, to hold its published scores against"
    )
    group.add_argument("--fit", choices=MODES, help=fit_help)
    add_threshold_arguments(group, score_threshold)
    nms_help = (
        "between which boxes one falls: those of one class, or any two, so that an object has one class "
        "(default: %(default)s)"
    )
    group.add_argument("--nms", choices=NMS, default=NMS[0], help=nms_help)
    runtime_help = (
        "what runs an exported model (default: auto, the fastest that is installed and has a file of it, as "
        "measured here, and remembered for thirty days)"
    )
    group.add_argument("--runtime", choices=(AUTO, *RUNTIMES), help=runtime_help)
    remeasure_help = "measure anew which runtime is the fastest, whatever is remembered"
    group.add_argument("--remeasure", action="store_true", help=remeasure_help)
    gpu_help = "run on this GPU (default: the processor)"
    group.add_argument("--gpu", type=int, action=Within, least=0, metavar="N", help=gpu_help)


def add_network_arguments(group: Any) -> None:
    """Declare ``--network`` and ``--weights``, which name a model without a model folder."""
    network_help = "a network of the zoo, or a darknet .cfg, with --weights"
    group.add_argument("--network", metavar="NAME|CFG", help=network_help)
    weights_help = (
        "weights for --network: ours, GluonCV's, darknet's (.weights), Yolo-FastestV2's (.pth), or a run's "
        "(RUN, RUN/best, RUN/last)"
    )
    group.add_argument("--weights", metavar="FILE|RUN", help=weights_help)


def add_threshold_arguments(group: Any, score_threshold: float | None) -> None:
    """Declare ``--score-threshold``, with this default, ``--nms-threshold`` and the two limits."""
    own = f"the model's own, with which its F1 was best in its validation, else {SHOWN_SCORE:g}"
    group.add_argument(
        "--score-threshold",
        type=float,
        action=Within,
        least=0,
        most=1,
        default=score_threshold,
        metavar="S",
        help=f"leave out detections that score less (default: {score_threshold or own})",
    )
    group.add_argument(
        "--nms-threshold",
        type=float,
        action=Within,
        least=0,
        most=1,
        default=NMS_THRESHOLD,
        metavar="IOU",
        help="drop the worse of two boxes of a class that overlap more (default: %(default)s)",
    )
    most_help = "detections of a picture at most (default: the model's own, 100 where nobody said more)"
    group.add_argument("--max-detections", type=int, action=Within, least=1, metavar="K", help=most_help)
    compared_help = (
        "boxes of a picture that are compared for them, the best ones (default: the model's own, else 400, "
        "and 8 K for a K above 100)"
    )
    group.add_argument("--max-candidates", type=int, action=Within, least=1, metavar="N", help=compared_help)


def model_files(args: argparse.Namespace) -> dict[str, str | None]:
    """Return the files that the flags of a model read, by flag."""
    names = ("model", "network", "weights", "classes", "data")
    return {f"--{name}": getattr(args, name, None) for name in names}


def open_predictor(args: argparse.Namespace) -> Predictor:
    """Load the model that the arguments name.

    Raises:
        UserError: they name no model or two, or it cannot be loaded.
    """
    options: dict[str, Any] = {
        "gpu": args.gpu,
        "score_threshold": args.score_threshold,
        "nms_threshold": args.nms_threshold,
        "nms": args.nms,
        **tile_options(args),
    }
    options["size_hw"] = parse_size(args.size) if args.size else None
    if args.fit:
        options["fit"] = Preprocess(args.fit)
    for name in ("max_detections", "max_candidates"):
        if getattr(args, name):
            options[name] = getattr(args, name)
    if getattr(args, "classes_only", None):
        options["classes_only"] = [name.strip() for name in args.classes_only.split(",") if name.strip()]
    if getattr(args, "data", None) and not (args.model or args.network):
        described = model_of_data(args)
        if described:
            return Predictor.from_network(
                **{**described, **{k: v for k, v in options.items() if v is not None}}
            )
    check_one_model(args, args.model, "--model PATH")
    if args.remeasure and not (args.model and args.runtime in (None, AUTO)):
        raise UserError("--remeasure: goes with --model and --runtime auto, which alone measures anything")
    if args.model:
        return Predictor.load(args.model, args.runtime or AUTO, remeasure=args.remeasure, **options)
    options["runtime"] = args.runtime or AUTO
    return Predictor.from_network(args.network, args.weights, class_names_of(args), **options)


def model_of_data(args: argparse.Namespace) -> dict[str, Any]:
    """Return the model's options from the data's own file, as ``Predictor.from_network`` takes them.

    Yolo-FastestV2's ``.data`` file has them: network, input size, anchors, class names, ``pre_weights``.

    Args:
        args: parsed with ``--data`` and ``--weights``; ``--format`` and ``--classes`` are used if there are
            any.

    Returns:
        The options; empty if the file names no network.

    Raises:
        UserError: the data does not exist, or no weights are named.
    """
    from gluon_yolo.data.anchors import by_level, parse_anchors
    from gluon_yolo.data.registry import open_source
    from gluon_yolo.models.build import find_architecture

    source = open_source(args.data, getattr(args, "format", None))
    settings = source.settings()
    if "network" not in settings:
        return {}
    weights = args.weights or settings.get("weights")
    if weights is None:
        raise UserError(f"{args.data}: names no weights (pre_weights); give them with --weights FILE")
    levels = find_architecture(settings["network"]).spec.num_levels
    return {
        "name": settings["network"],
        "weights": weights,
        "class_names": class_names_of(args) if args.classes else source.class_names(()),
        "size_hw": parse_size(settings["data_shape"]) if "data_shape" in settings else None,
        "anchors": by_level(parse_anchors(settings["anchors"]), levels) if "anchors" in settings else None,
    }


def check_one_model(args: argparse.Namespace, path: str | None, word: str) -> None:
    """Check that the arguments name a model in exactly one of the two ways.

    Args:
        args: parsed with :func:`add_network_arguments`.
        path: of a model; None if ``--network`` and ``--weights`` must name it.
        word: how the user gives the path.

    Raises:
        UserError: they name no model or two, or the path is another program's file.
    """
    given = path or (args.weights if not args.network else None)
    advice = _FOREIGN.get(Path(given).suffix) if given else None
    if given and advice:
        raise UserError(f"{given}: {advice.format(path=given)}")
    if bool(path) == bool(args.network or args.weights) or bool(args.network) != bool(args.weights):
        raise UserError(f"name one model: {word}, or --network NAME (or FILE.cfg) with --weights FILE")


def class_names_of(args: argparse.Namespace) -> tuple[str, ...] | None:
    """Return the class names of ``--network`` from ``--classes``; None takes the network's own.

    Raises:
        UserError: the file cannot be read, or the network has no class names of its own.
    """
    from gluon_yolo.data.classes.read import read_class_names
    from gluon_yolo.models.build import check_own_classes

    if args.classes:
        return read_class_names(args.classes)
    check_own_classes(args.network)
    return None
