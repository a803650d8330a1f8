"""Export of a network to one or more formats, all of them or none."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.exported import Exported
from gluon_yolo.exporters.exported_landmarks import ExportedLandmarks
from gluon_yolo.exporters.model_dir import origin_of
from gluon_yolo.exporters.request import NMSOptions, Request, checked_name, digest
from gluon_yolo.exporters.staging import staged
from gluon_yolo.inference.exported_format import ALWAYS_FIXED, CUTS, ENDINGS
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.models.caffe.network import CaffeNetwork
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.progress.bar import counting
from gluon_yolo.system import memory
from gluon_yolo.text import did_you_mean
from gluon_yolo.weights.darknet_header import Header


@dataclasses.dataclass(frozen=True)
class Format:
    """An export format: its options and the module that writes it.

    Args:
        module: its ``write(request, folder)`` writes and verifies the files, and returns ``ExportedFormat``
            and ``Parity``.
        endings: of its files, after the model's name.
        cuts: where its graph can end; the first is the default.
        precisions: of its weights.
        packages: that writing and verifying need beside mxnet.
        fixable: whether its input shape can be fixed; those of ``ALWAYS_FIXED`` are anyway.
    """

    module: str
    endings: tuple[str, ...]
    cuts: tuple[str, ...] = CUTS
    precisions: tuple[str, ...] = ("float32",)
    packages: tuple[str, ...] = ()
    fixable: bool = False


PRECISIONS = ("float32", "bfloat16", "float16")
_HALF = ("float32", "float16")
FORMATS: Mapping[str, Format] = {
    "symbol": Format("mxnet.write", ENDINGS["symbol"], CUTS, ("float32", "bfloat16")),
    "onnx": Format("onnx.write", ENDINGS["onnx"], packages=("onnx", "onnxruntime"), fixable=True),
    "ncnn": Format("ncnn.write", ENDINGS["ncnn"], ("raw",), _HALF, ("ncnn",)),
    "openvino": Format(
        "converters.openvino", ENDINGS["openvino"], CUTS, PRECISIONS, ("onnx", "openvino"), True
    ),
    "mnn": Format("converters.mnn", ENDINGS["mnn"], ("decoded", "raw"), _HALF, ("onnx", "MNN"), True),
    "darknet": Format("darknet", (".weights", ".names", ".cfg"), ()),
    "tflite": Format("tflite.write", ENDINGS["tflite"], ("decoded", "raw"), _HALF, ("ai_edge_litert",)),
    "caffe": Format("caffe.write", ENDINGS["caffe"], ("raw",), packages=("google.protobuf",)),
}
OF_LANDMARKS = ("symbol", "onnx", "ncnn", "openvino", "mnn", "tflite", "caffe")  # of a landmark network


def export(
    net: DetectionNetwork | CaffeNetwork,
    out_dir: str | os.PathLike[str],
    formats: Sequence[str] = ("symbol",),
    name: str | None = None,
    size_hw: tuple[int, int] = (416, 416),
    cut: str | None = None,
    precision: str = "float32",
    fuse: bool = False,
    suppression: NMSOptions | None = None,
    fit: str = "resize",
    header: Header | None = None,
    fixed_batch: int | None = None,
    best_threshold: float | None = None,
    unverified: bool = False,
) -> Exported:
    """Export a network to one or more formats; each is verified against the network's boxes and scores.

    The files appear together after all of them were verified. A folder has one model at one precision: other
    formats of the same model stay, those of another model with the same name are removed.

    Args:
        net: an initialized network.
        out_dir: created when absent.
        formats: keys of ``FORMATS``.
        name: stem of the file names; None is the network's name.
        size_hw: height and width of the input in pixels, for the record and the verification.
        cut: ``nms``, ``decoded`` or ``raw``; None is each format's default.
        precision: of the weights; each of the formats must support it.
        fuse: fold batch normalisation into the convolutions of a symbol.
        suppression: thresholds of the cut ``nms``.
        fit: how images are resized to the input, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
        header: of darknet weights; None is version 0.2.5 with no images seen.
        fixed_batch: batch size; formats that can be fixed then take only this batch and ``size_hw``, and
            their default cut is ``decoded``. None does not fix the shape, where the format leaves the choice;
            else it is 1.
        best_threshold: the score threshold with the best F1, for the record; None where it is not known.
        unverified: write Caffe's files also where OpenCV cannot read them here.

    Raises:
        UserError: a format, its cut or its precision is unknown, an operator is not supported, the size does
            not suit the network, its weights are damaged, or the folder cannot be written.
        MissingDependency: a package that a format needs is not installed.
        WrongResults: an exported model does not give the network's results.
    """
    if isinstance(net.spec, LandmarkSpec):
        cut = _whole(formats, cut, fixed_batch)
    _check(formats, cut, precision, fuse, fixed_batch)
    numbers = suppression or NMSOptions()
    size_hw = (int(size_hw[0]), int(size_hw[1]))
    request = Request(
        net, checked_name(net, name, size_hw), size_hw, cut, precision, fuse, numbers, fit, header
    )
    record = ModelRecord(
        request.name, net.zoo_name, net.spec, size_hw, precision=precision, weights=digest(net), fit=fit
    )
    record = dataclasses.replace(
        record,
        origin=origin_of(net, header),
        max_detections=numbers.max_detections,
        max_candidates=numbers.own_candidates,
        best_threshold=best_threshold,
    )
    request = dataclasses.replace(request, record=record, batch=fixed_batch, unverified=unverified)
    files = {kind: tuple(f"{request.name}{end}" for end in FORMATS[kind].endings) for kind in formats}
    parities = {}
    with staged(out_dir, record, files) as coming:
        for kind in counting(formats, len(formats), "export", "format", leave=False):
            coming.formats[kind], parities[kind] = _writer(kind).write(request, coming.aside)
            memory.give_back()
    folder = Path(out_dir)
    path = folder / f"{request.name}.json" if any(kind in ENDINGS for kind in formats) else None
    fixed = tuple(kind for kind in formats if _is_fixed(kind, fixed_batch))
    result = ExportedLandmarks if isinstance(net.spec, LandmarkSpec) else Exported
    return result(
        folder,
        path,
        files,
        parities,
        coming.kept,
        coming.removed,
        coming.reason,
        network=net.zoo_name,
        spec=net.spec,
        size_hw=size_hw,
        precision=precision,
        fixed_batch=fixed_batch or (1 if fixed else None),
        fixed=fixed,
    )


def _whole(formats: Sequence[str], cut: str | None, fixed_batch: int | None) -> str:
    """Return the one cut of a landmark network, whose files end at its points.

    Raises:
        UserError: another cut is asked for, a fixed size, or a format for detectors.
    """
    if cut not in (None, "raw"):
        raise SettingError(f"{{cut}} {cut}: a landmark network has no boxes; leave {{cut}} away")
    if fixed_batch is not None:
        raise SettingError("{fixed_size}: a landmark network has one size already; leave {fixed_size} away")
    for kind in formats:
        if kind in FORMATS and kind not in OF_LANDMARKS:
            raise SettingError(
                f"{{format}} {kind}: is for detectors, and this is a landmark network; its formats are "
                f"{', '.join(OF_LANDMARKS)}"
            )
    return "raw"


def _is_fixed(kind: str, fixed_batch: int | None) -> bool:
    """Return whether a format's files take one input shape only."""
    return kind in ALWAYS_FIXED or (FORMATS[kind].fixable and fixed_batch is not None)


def _writer(kind: str) -> ModuleType:
    return importlib.import_module(f"gluon_yolo.exporters.{FORMATS[kind].module}")


def _check(
    formats: Sequence[str], cut: str | None, precision: str, fuse: bool, fixed_batch: int | None
) -> None:
    """Check the options of an export.

    Raises:
        UserError: an option is invalid, or options contradict each other.
        MissingDependency: a package is not installed.
    """
    if not formats:
        raise UserError(f"no format is named; known are {', '.join(FORMATS)}")
    for kind in formats:
        if kind not in FORMATS:
            raise UserError(
                f"format {kind!r}: unknown; {did_you_mean(kind, FORMATS)}known are {', '.join(FORMATS)}"
            )
        if formats.count(kind) > 1:
            raise UserError(f"format {kind}: is named twice")
        known = FORMATS[kind]
        if cut is not None and cut not in known.cuts:
            has = f"ends at {' or '.join(known.cuts)}" if known.cuts else "has no such choice"
            raise UserError(f"cut {cut}: {kind} {has}; export it apart, or without a cut")
        if precision not in known.precisions:
            raise UserError(
                f"precision {precision}: {kind} has {' and '.join(known.precisions)}; export it apart"
            )
    if fuse and "symbol" not in formats:
        raise UserError("fusing is of the format symbol; the others are fused as they are")
    if fixed_batch is not None and not any(_is_fixed(kind, fixed_batch) for kind in formats):
        fixable = ", ".join(kind for kind, known in FORMATS.items() if known.fixable)
        raise UserError(
            f"a fixed size is of the formats {fixable}; the others take any size as they are, but for "
            f"{' and '.join(ALWAYS_FIXED)}, which always take one"
        )
    if fixed_batch is not None and fixed_batch < 1:
        raise UserError(f"batch size {fixed_batch}: expected 1 or more")
    for package in dict.fromkeys(package for kind in formats for package in FORMATS[kind].packages):
        import_package(package)
