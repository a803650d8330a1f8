"""Write a network as an ONNX file, held to the network's own boxes and scores."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.export.onnx_file import make_model, write_model
from gluon_yolo.export.parity import BOUNDS, Parity
from gluon_yolo.export.request import Request
from gluon_yolo.inference.graph import Graph
from gluon_yolo.inference.onnxruntime_runtime import OnnxRuntime


def write(request: Request, folder: Path) -> tuple[Graph, Parity]:
    """Write ``NAME.onnx``, as :func:`gluon_yolo.export.onnx_file.make_model` makes it, and run it.

    The model takes any batch, and any height and width that are multiples of the network's largest stride. A
    cut at ``nms`` is compared where it is decoded, as suppression is a choice between equals.

    Raises:
        UserError: when an operator has no counterpart, or the network's weights are damaged.
        WrongResults: when ONNX Runtime gives other boxes and scores with it.
    """
    cut, file = request.cut or "nms", f"{request.name}.onnx"
    graph = write_cut(request, folder / file, cut)
    tried = folder / file
    if cut == "nms":
        tried = folder / f"{request.name}-decoded.onnx"
        write_cut(request, tried, "decoded")
    return graph, request.reference.demand(OnnxRuntime(tried, request.net.spec), file, BOUNDS["float32"])


def write_cut(request: Request, path: Path, cut: str) -> Graph:
    """Write the model with this end to a file, and return what a record says of it."""
    model = make_model(
        request.graph,
        request.net.spec,
        request.name,
        cut,
        request.suppression,
        metadata={"fit": request.fit},
    )
    write_model(model, path)
    outputs = tuple(output.name for output in model.graph.output)
    return Graph((path.name,), cut, outputs, (), dict(vars(request.suppression)) if cut == "nms" else None)
