"""``gluon_yolo.export``: write a model as files for other runtimes."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.errors import SettingError, check_within
from gluon_yolo.exporters import api, memory_need
from gluon_yolo.exporters.damaged_weights import weights_from
from gluon_yolo.exporters.exported import Exported
from gluon_yolo.exporters.request import NMSOptions
from gluon_yolo.exporters.source_model import ClassNames, Model, PathLike, SourceModel, load_model
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
    max_candidates: int | None = None,
    unverified: bool = False,
) -> Exported:
    """Write a model in one or several export formats and verify each file.

    Every file is run on the same images as the network. The files appear in ``out`` only after all of them
    give the network's boxes and scores. A folder holds one model at one precision: an export of another
    format is added to it, an export of another model replaces it.

    Args:
        model: the folder of a run or of an imported model (its best weights; ``RUN/last``: its last), a
            weights file in it, an exported folder with a symbol in float32, the result of ``train`` or
            ``export``, or a network in memory. With ``weights``: a network's name or a darknet cfg.
        formats: one or several of ``symbol``, ``onnx``, ``openvino``, ``mnn``, ``ncnn``, ``darknet``,
            ``tflite`` and ``caffe``: a sequence, or a text with commas.
        out: the output folder, made when absent.
        weights: a weights file or a run, where ``model`` is a network's name.
        classes: class names of such a network: a file with one a line, or a sequence. None takes the
            network's own.
        name: stem of the file names. None takes the name of the run or the exported model, else of the
            network.
        size: input size in pixels, as ``416``, ``"320x416"`` (height first) or ``(320, 416)``. None takes the
            model's own; for a network in memory, the default of its architecture.
        cut: where the graph ends: ``nms`` (ids, scores and boxes of detections), ``decoded`` (boxes and
            scores of all anchors) or ``raw`` (the network's maps). None takes ``nms``, but ``decoded`` for
            mnn, tflite and with ``fixed_size``, and ``raw`` for ncnn
            and caffe.
        precision: of the weights: ``float32``; ``bfloat16`` for symbol and openvino; ``float16`` for ncnn,
            openvino, mnn and tflite.
        fixed_size: onnx, openvino and mnn files accept images of ``size`` only, as tflite and caffe files
            always do.
        batch_size: batch size of the files with ``fixed_size``. None takes 1.
        fuse: fold the batch norms of a symbol into its convolutions.
        nms_threshold: for the cut ``nms``: NMS removes a box that overlaps a better one of its class by more
            than this IoU, 0..1.
        score_threshold: for the cut ``nms``: detections with this score or a lower one are left out, 0..1.
        max_detections: the limit for one image. None takes the model's own, by default 100.
        max_candidates: pairs of anchor and class that enter NMS, the best ones. None takes 400, and eight for
            each detection from a limit of 101 on.
        unverified: write caffe files also where the installed OpenCV cannot read them (OpenCV 5).

    Returns:
        The files. ``print(exported)`` shows their differences from the network, and how to use them.

    Raises:
        UserError: a setting is wrong or does not suit a format, the model cannot be loaded or exported, or
            the folder cannot be written.
        MissingDependency: the package of a format is not installed.
        WrongResults: a file does not give the network's results. No file of this export is kept.

    Example:
        >>> exported = gluon_yolo.export("runs/mine-1", "onnx,ncnn", "deployed")
        >>> exported.predictor()("street.jpg")
    """
    size_hw = None if size is None else parse_size(size)
    if batch_size is not None:
        check_within("batch_size", batch_size, 1)
        if not fixed_size:
            raise SettingError(
                f"{{batch_size}} {batch_size}: goes with {{fixed_size}}; without it the files take any batch"
            )
    check_outputs({}, {"{out}": str(out)})
    thresholds = checked_thresholds(nms_threshold, score_threshold, max_detections, max_candidates)
    kinds = formats.split(",") if isinstance(formats, str) else tuple(formats)
    source = load_model(model, weights, classes, size_hw)
    memory_need.check_export(source.net, source.size_hw, kinds)
    with weights_from(source.given_as):
        return api.export(
            source.net,
            out,
            formats=kinds,
            name=name or source.name,
            size_hw=source.size_hw,
            cut=cut,
            precision=precision,
            fuse=fuse,
            suppression=nms_options(source, thresholds, max_detections, max_candidates),
            fit=source.fit,
            header=header_of(source.origin),
            fixed_batch=(batch_size or 1) if fixed_size else None,
            best_threshold=source.best_threshold,
            unverified=unverified,
        )


def checked_thresholds(
    nms_threshold: float,
    score_threshold: float,
    max_detections: int | None,
    max_candidates: int | None = None,
) -> tuple[float, float]:
    """Return the two thresholds of the NMS in a graph.

    Raises:
        SettingError: one of the values is out of its range, or there are fewer candidates than detections.
    """
    check_within("nms_threshold", nms_threshold, 0, 1)
    check_within("score_threshold", score_threshold, 0, 1)
    if max_detections is not None:
        check_within("max_detections", max_detections, 1)
    if max_candidates is not None:
        check_within("max_candidates", max_candidates, 1)
        if max_detections is not None and max_candidates < max_detections:
            raise SettingError(
                f"{{max_candidates}} {max_candidates}: fewer than {{max_detections}} {max_detections}, which "
                f"are chosen from them; give {max_detections} or more"
            )
    return nms_threshold, score_threshold


def nms_options(
    source: SourceModel,
    thresholds: tuple[float, float],
    max_detections: int | None,
    max_candidates: int | None,
) -> NMSOptions:
    """Return the options of the NMS in a graph; limits that are None are the model's own.

    Args:
        source: the model.
        thresholds: those of :func:`checked_thresholds`.
        max_detections: the limit for one image.
        max_candidates: pairs that enter NMS. The model's own goes with its own limit of detections.
    """
    if max_detections is None and max_candidates is None:
        max_candidates = source.max_candidates
    return NMSOptions(*thresholds, max_candidates or 0, max_detections or source.max_detections)
