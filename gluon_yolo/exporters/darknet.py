"""Export of a darknet network to darknet's own files, which are verified."""

from __future__ import annotations

from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.request import Request
from gluon_yolo.exporters.verify import BOUNDS, Parity
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.runtimes import mxnet
from gluon_yolo.models.darknet.edit import with_input
from gluon_yolo.models.darknet.network import DarknetNetwork
from gluon_yolo.weights import darknet_model


def write(request: Request, folder: Path) -> tuple[ExportedFormat, Parity]:
    """Write ``NAME.cfg``, ``NAME.weights`` and ``NAME.names``, read them back and compare.

    The cfg is the network's own without comments, with its present classes, anchors and input size. Weights
    from a darknet file get the same bytes again.

    Raises:
        UserError: it is no darknet network, or its weights are damaged.
        WrongResults: the files do not give the network's boxes and scores.
    """
    net, name = request.net, request.name
    if not isinstance(net, DarknetNetwork):
        raise UserError(
            f"{net.zoo_name}: is no darknet network, so that no cfg describes it; export it in other formats"
        )
    cfg = with_input(net.plan.cfg, request.size_hw, request.fit == "letterbox")
    written = darknet_model.save(net, folder, name, request.header, cfg)
    again, _ = darknet_model.load(written, folder / f"{name}.weights", net.spec.class_names)
    graph = request.raw(*(f"{name}{ending}" for ending in (".weights", ".names", ".cfg")))
    return graph, request.reference.demand(mxnet.from_block(again), written.name, BOUNDS["float32"])
