"""Write a network as OpenVINO's files, by its own converter, held to the network's own boxes and scores."""

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
    """Convert our ONNX model to ``NAME-openvino.xml`` and ``NAME-openvino.bin``, and run them.

    float16 is how the weights are stored; bfloat16 how the runtime is asked to compute, with weights stored
    in float32. A cut at ``nms`` is compared where it is decoded.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when OpenVINO gives other boxes and scores with them.
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
    """Write the model with this end, its weights beside it with the ending ``.bin``.

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
