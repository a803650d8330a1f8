"""An exported model's network again, from its symbol's weights: what was exported can be exported further."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from gluon_yolo.darknet.header import Header
from gluon_yolo.darknet.network import CFG
from gluon_yolo.errors import UserError
from gluon_yolo.export import graph
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.inference.mxnet_runtime import read_parameters
from gluon_yolo.nn import architecture
from gluon_yolo.nn.detector import DetectionNetwork

CFG_KEY = "cfg"


def origin_of(net: DetectionNetwork, header: Header | None) -> dict[str, Any] | None:
    """Return what an export's record keeps to build the network again, where its name does not say enough.

    Args:
        net: what is exported.
        header: of the darknet weights that it came from.
    """
    with tempfile.TemporaryDirectory() as place:
        net.keep(Path(place))
        cfg = Path(place) / CFG
        if not cfg.is_file():
            return None
        kept: dict[str, Any] = {CFG_KEY: cfg.read_text(encoding="utf-8")}
    return {**kept, "kind": "darknet", "header": list(dataclasses.astuple(header))} if header else kept


def load(record: ModelFile, folder: Path) -> DetectionNetwork:
    """Build the network of an exported model and give it the weights of its symbol.

    Args:
        record: the model's.
        folder: where it lies.

    Raises:
        UserError: the model is there in other formats only, its weights are folded or rounded, or a file is
            missing or damaged.
    """
    advice = "export the run that it came from"
    if "symbol" not in record.graphs or record.precision != "float32":
        held = f"{', '.join(record.graphs)} in {record.precision}"
        raise UserError(f"{folder}: holds {held}, of which no network can be made again; {advice}")
    params_file = folder / record.graph("symbol", folder).files[1]
    arrays = read_parameters(params_file)
    net = _build(record)
    net.initialize_weights()
    wanted = graph.parameters(net, None)
    if any(name not in arrays or arrays[name].shape != wanted[name].shape for name in wanted):
        raise UserError(f"{params_file}: its weights are folded, or of another network; {advice}")
    for name, parameter in wanted.items():
        parameter.set_data(arrays[name])
    return net


def _build(record: ModelFile) -> DetectionNetwork:
    """Build the network of a record, from the cfg that it holds where there is one."""
    with tempfile.TemporaryDirectory() as place:
        cfg = (record.origin or {}).get(CFG_KEY)
        if cfg:
            (Path(place) / CFG).write_text(cfg, encoding="utf-8")
        known = architecture.find(record.network, Path(place))
        return known.build(record.spec.class_names, record.spec.anchors)
