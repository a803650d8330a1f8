"""Write a network as ncnn's two files, and verify them against the network's own boxes and scores."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.export.ncnn.file import make_layers, write_model
from gluon_yolo.export.request import Request
from gluon_yolo.export.verify import BOUNDS, Parity
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.runtimes.ncnn import NcnnRuntime


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.param`` and ``NAME.bin``, and run them; the graph ends at the raw maps.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when ncnn gives other boxes and scores with them.
    """
    name = request.name
    write_model(make_layers(request.graph), folder, name, request.precision)
    runtime = NcnnRuntime(folder, name, request.net.spec)
    graph = request.raw(f"{name}.param", f"{name}.bin")
    return graph, request.reference.demand(runtime, name, BOUNDS[request.precision])
