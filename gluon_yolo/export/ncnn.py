"""Write a network as ncnn's two files, held to the network's own boxes and scores."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.export import ncnn_file
from gluon_yolo.export.parity import BOUNDS, Parity
from gluon_yolo.export.request import Request
from gluon_yolo.inference.graph import Graph
from gluon_yolo.inference.ncnn_runtime import NcnnRuntime


def write(request: Request, folder: Path) -> tuple[Graph, Parity]:
    """Write ``NAME.param`` and ``NAME.bin``, and run them; the graph ends at the raw maps.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when ncnn gives other boxes and scores with them.
    """
    name = request.name
    ncnn_file.write_model(ncnn_file.make_layers(request.graph), folder, name, request.precision)
    runtime = NcnnRuntime(folder, name, request.net.spec)
    graph = request.raw(f"{name}.param", f"{name}.bin")
    return graph, request.reference.demand(runtime, name, BOUNDS[request.precision])
