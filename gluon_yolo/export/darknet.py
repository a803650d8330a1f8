"""Export a darknet network as darknet's own files, read back before they count."""

from __future__ import annotations

import os
from pathlib import Path

from gluon_yolo.darknet import files
from gluon_yolo.darknet.changes import with_input
from gluon_yolo.darknet.network import DarknetNetwork
from gluon_yolo.darknet.weights import Header
from gluon_yolo.errors import UserError
from gluon_yolo.export.publish import published
from gluon_yolo.export.request import checked_name
from gluon_yolo.export.trial import check_same
from gluon_yolo.nn.detector import DetectionNetwork


def export(
    net: DetectionNetwork,
    out_dir: str | os.PathLike[str],
    size_hw: tuple[int, int],
    name: str | None = None,
    fit: str = "resize",
    header: Header | None = None,
) -> Path:
    """Write ``NAME.cfg``, ``NAME.weights`` and ``NAME.names``, and read them back.

    The cfg is the network's own, without comments, with its classes, anchors and this input. Numbers that
    came from a darknet file are the same bytes again.

    Args:
        net: the network with its weights.
        out_dir: made when absent.
        size_hw: height and width of the input in pixels.
        name: stem of the files; the network's name by default.
        fit: how pictures are brought to that size, a mode of :class:`gluon_yolo.inference.fit.Fit`.
        header: of the weights; None takes version 0.2.5 with no pictures seen.

    Returns:
        The path of the cfg.

    Raises:
        UserError: when the network is none of darknet's, the size does not suit it, its weights are damaged,
            or the folder cannot be written.
        RuntimeError: when the files do not give the network's results.
    """
    if not isinstance(net, DarknetNetwork):
        raise UserError(
            f"{net.zoo_name}: is no darknet network, so that no cfg describes it; export it with "
            "--format symbol"
        )
    name = checked_name(net, name, size_hw)
    cfg = with_input(net.plan.cfg, size_hw, fit == "letterbox")
    with published(out_dir, [f"{name}{ending}" for ending in (".weights", ".names", ".cfg")]) as aside:
        written = files.save(net, aside, name, header, cfg)
        again, _ = files.load(written, aside / f"{name}.weights", net.spec.class_names)
        check_same(net, again, size_hw)
    return Path(out_dir) / written.name
