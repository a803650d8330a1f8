"""Export to ncnn's two files; the result is verified."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.exporters.ncnn.file import make_layers, write_model
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS, Parity
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.runtimes.ncnn import NcnnRuntime


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.param`` and ``NAME.bin``, and compare their results; the graph ends at the raw maps.

    Raises:
        UserError: an operator is not supported, or the network's weights are damaged.
        WrongResults: ncnn gives other boxes and scores.
    """
    name = request.name
    write_model(make_layers(request.graph), folder, name, request.precision)
    runtime = NcnnRuntime(folder, name, request.net.spec)
    graph = request.raw(f"{name}.param", f"{name}.bin")
    return graph, request.reference.demand(runtime, name, BOUNDS[request.precision])
