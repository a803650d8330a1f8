"""Export to Caffe's two files; the result is verified by OpenCV's reader of Caffe."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gluon_yolo.errors import SettingError
from gluon_yolo.exporters.caffe.file import make_net, write_model
from gluon_yolo.exporters.parity import Parity, Unverified
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.inference.runtimes import opencv


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity | Unverified]:
    """Write ``NAME.prototxt`` and ``NAME.caffemodel``, which end at the raw maps, and compare their results.

    Raises:
        UserError: an operator is not supported, the network's weights are damaged, or OpenCV has no reader of
            Caffe and the request does not allow unverified files.
        WrongResults: OpenCV gives other boxes and scores.
    """
    name, shape = request.name, request.one_shape
    missing = opencv.missing_reader()
    if missing and not request.unverified:
        raise SettingError(
            f"{{format}} caffe: {missing}, so that the files cannot be tried before they appear: "
            f"{opencv.INSTALL}, or write them untried with {{unverified}}"
        )
    write_model(make_net(request.graph, name, shape[1:], shape[0]), folder, name)
    graph = request.raw(*(f"{name}{ending}" for ending in ENDINGS["caffe"]))
    graph = dataclasses.replace(graph, fixed=shape)
    if missing:
        return graph, Unverified(missing)
    runtime = opencv.OpenCVRuntime(folder, graph.files, request.net.spec, graph.shape)
    return graph, request.reference.demand(runtime, graph.files[0], BOUNDS["float32"])
