"""Write a network as an ONNX file, held to the network's own boxes and scores."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.export.onnx_file import add_record, make_model, write_model
from gluon_yolo.export.parity import BOUNDS, Parity
from gluon_yolo.export.request import Request
from gluon_yolo.inference.graph import Graph
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.inference.onnxruntime_runtime import OnnxRuntime


def write(request: Request, folder: Path) -> tuple[Graph, Parity]:
    """Write ``NAME.onnx``, as :func:`gluon_yolo.export.onnx_file.make_model` makes it, and run it.

    The model takes any batch, and any height and width that are multiples of the network's largest stride,
    unless the request fixes them. A cut at ``nms`` is compared where it is decoded, as suppression is a
    choice between equals.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when ONNX Runtime gives other boxes and scores with it.
    """
    cut, file = usual_cut(request), f"{request.name}.onnx"
    graph = write_cut(request, folder / file, cut, request.record)
    tried = folder / file
    if cut == "nms":
        tried = folder / f"{request.name}-decoded.onnx"
        write_cut(request, tried, "decoded")
    return graph, request.reference.demand(OnnxRuntime(tried, request.net.spec), file, BOUNDS["float32"])


def usual_cut(request: Request) -> str:
    """Return where the graph ends: as asked, else behind suppression, which readers of fixed files lack."""
    return request.cut or ("nms" if request.fixed is None else "decoded")


def write_cut(request: Request, path: Path, cut: str, record: ModelFile | None = None) -> Graph:
    """Write the model with this end to a file, and return what a record says of it.

    Args:
        request: the network, its name and thresholds.
        path: of the file.
        cut: where the graph ends.
        record: of the model, but for its graphs, for the file to hold itself; None leaves it out.
    """
    model = make_model(
        request.graph,
        request.net.spec,
        request.name,
        cut,
        request.suppression,
        fixed=request.fixed,
        metadata={"fit": request.fit},
    )
    outputs = tuple(output.name for output in model.graph.output)
    numbers = dict(vars(request.suppression)) if cut == "nms" else None
    graph = Graph((path.name,), cut, outputs, (), numbers, request.fixed)
    if record is not None:
        add_record(model, record.of_one("onnx", graph))
    write_model(model, path)
    return graph
