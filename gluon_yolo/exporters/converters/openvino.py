"""Export to OpenVINO's files, with its own converter; the result is verified."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gluon_yolo.exporters.onnx.write import usual_cut, write_cut
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS, Parity
from gluon_yolo.inference import embedded_record
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.inference.runtimes.openvino import OpenVINORuntime


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Convert the ONNX model to ``NAME-openvino.xml`` and ``NAME-openvino.bin``, and compare their results.

    float16 is the type of the stored weights. bfloat16 is the type in which the runtime computes, with
    weights stored in float32. A model that ends after NMS is compared at its decoded boxes.

    Raises:
        UserError: an operator is not supported, or the network's weights are damaged.
        WrongResults: OpenVINO gives other boxes and scores.
    """
    files = tuple(f"{request.name}{ending}" for ending in ENDINGS["openvino"])
    graph = _convert(request, folder / files[0], usual_cut(request))
    tried = folder / files[0]
    if graph.cut == "nms":
        tried = folder / f"{request.name}-decoded.xml"
        _convert(request, tried, "decoded")
    runtime = OpenVINORuntime(tried, request.net.spec, precision=request.precision)
    parity = request.reference.demand(runtime, files[0], BOUNDS[request.precision])
    return graph, parity


def _convert(request: Request, path: Path, cut: str) -> ExportedFormat:
    """Write the model with a cut; its weights are beside it with the ending ``.bin``.

    Raises:
        OSError: OpenVINO cannot write them.
    """
    openvino = import_package("openvino")
    source = path.with_suffix(".onnx")
    graph = write_cut(request, source, cut)
    graph = dataclasses.replace(graph, files=(path.name, path.with_suffix(".bin").name))
    model = openvino.Core().read_model(source)
    source.unlink()
    if request.record is not None:
        record = request.record.of_one("openvino", graph)
        model.set_rt_info(embedded_record.text_of(record), embedded_record.KEY)
    try:
        openvino.save_model(model, path, compress_to_fp16=request.precision == "float16")
    except RuntimeError as error:
        raise OSError("OpenVINO could not write all of it; is the disk full?") from error
    return graph
