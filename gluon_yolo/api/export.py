"""``gluon_yolo.export``: a model as files that other programs run."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.errors import SettingError, check_within
from gluon_yolo.exporters import api
from gluon_yolo.exporters.exported import Exported
from gluon_yolo.exporters.request import NMSOptions
from gluon_yolo.exporters.source_model import ClassNames, Model, PathLike, load_model
from gluon_yolo.input_size import Size, parse_size
from gluon_yolo.nms import LEAST_SCORE, NMS_THRESHOLD
from gluon_yolo.outputs import check_outputs
from gluon_yolo.weights.darknet_model import header_of


def export(
    model: Model,
    formats: str | Sequence[str] = "symbol",
    out: PathLike = "exported",
    *,
    weights: PathLike | None = None,
    classes: ClassNames | None = None,
    name: str | None = None,
    size: Size | None = None,
    cut: str | None = None,
    precision: str = "float32",
    fixed_size: bool = False,
    batch_size: int | None = None,
    fuse: bool = False,
    nms_threshold: float = NMS_THRESHOLD,
    score_threshold: float = LEAST_SCORE,
    max_detections: int | None = None,
) -> Exported:
    """Write a model in formats that other programs run, each held to the network's own boxes and scores.

    The files appear together, after every one of them was run on the same images as the network. A folder
    holds one model at one precision: further formats of it are added, another model takes its place.

    Args:
        model: a run's or an imported model's folder (its best weights; ``RUN/last``: its last), a weights
            file in it, an exported folder that holds a symbol in float32; what ``train`` or ``export``
            returned; a network in memory; with ``weights``, a network's name or a darknet cfg.
        formats: one or several of ``symbol``, ``onnx``, ``openvino``, ``mnn``, ``ncnn`` and ``darknet``: a
            sequence, or a text with commas between.
        out: the folder to write to; made when absent.
        weights: a weights file or a run, for a network's name.
        classes: class names of such a network: a file with one a line, or a sequence; None takes its own.
        name: stem of the files; None takes the run's or the exported model's name, else the network's.
        size: height and width of the input in pixels that the files suggest, as ``416``, ``"320x416"`` or
            ``(320, 416)``; None takes the model's own, of a network in memory its architecture's usual one.
        cut: where the graph ends: ``nms`` (ids, scores and boxes of detections), ``decoded`` (boxes and
            scores of all anchors) or ``raw`` (the network's maps); None takes ``nms``, ``decoded`` for mnn
            and with ``fixed_size``, ``raw`` for ncnn.
        precision: of the weights: ``float32``; ``bfloat16`` for symbol and openvino; ``float16`` for ncnn,
            openvino and mnn.
        fixed_size: whether onnx, openvino and mnn files take images of ``size`` alone.
        batch_size: images that the files take at once with ``fixed_size``; None takes 1.
        fuse: whether a symbol's batch norms are folded into its convolutions.
        nms_threshold: of the cut ``nms``: overlap above which the worse of two boxes of a class falls, 0..1.
        score_threshold: of the cut ``nms``: detections that score less are left out, 0..1.
        max_detections: of an image at most; None takes the model's own, 100 where nobody said more.

    Returns:
        What was written; printed, it says how near each file is to the network, and how to use it.

    Raises:
        UserError: a setting is wrong or does not suit a format, the model cannot be loaded or exported, or
            the folder cannot be written.
        MissingDependency: a package is absent that a format needs.
        WrongResults: what was written does not give the network's results; nothing of it is left.
    """
    size_hw = None if size is None else parse_size(size)
    if batch_size is not None:
        check_within("batch_size", batch_size, 1)
        if not fixed_size:
            raise SettingError(
                f"{{batch_size}} {batch_size}: goes with {{fixed_size}}; without it the files take any batch"
            )
    check_outputs({}, {"{out}": str(out)})
    thresholds = checked_thresholds(nms_threshold, score_threshold, max_detections)
    source = load_model(model, weights, classes, size_hw)
    return api.export(
        source.net,
        out,
        formats=formats.split(",") if isinstance(formats, str) else tuple(formats),
        name=name or source.name,
        size_hw=source.size_hw,
        cut=cut,
        precision=precision,
        fuse=fuse,
        suppression=NMSOptions(*thresholds, max_detections=max_detections or source.max_detections),
        fit=source.fit,
        header=header_of(source.origin),
        fixed_batch=(batch_size or 1) if fixed_size else None,
    )


def checked_thresholds(
    nms_threshold: float, score_threshold: float, max_detections: int | None
) -> tuple[float, float]:
    """Return the thresholds of a graph's own NMS.

    Raises:
        SettingError: one of the three is out of its range.
    """
    check_within("nms_threshold", nms_threshold, 0, 1)
    check_within("score_threshold", score_threshold, 0, 1)
    if max_detections is not None:
        check_within("max_detections", max_detections, 1)
    return nms_threshold, score_threshold
