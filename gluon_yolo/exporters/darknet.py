"""Write a darknet network as darknet's own files, read back before they count."""

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
    """Write ``NAME.cfg``, ``NAME.weights`` and ``NAME.names``, and run the network that they describe.

    The cfg is the network's own, without comments, with its classes, anchors and this input. Numbers that
    came from a darknet file are the same bytes again.

    Raises:
        UserError: when the network is none of darknet's, or its weights are damaged.
        WrongResults: when the files do not give the network's boxes and scores.
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
