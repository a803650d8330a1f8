"""Load a network from darknet's ``.cfg`` and ``.weights`` files, and save one to them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import Cfg, read_cfg
from gluon_yolo.models.darknet.network import DarknetNetwork, build
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.weights.darknet_file import get_weights, named_arrays
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_misfit import describe, explain, read_own
from gluon_yolo.weights.foreign import ForeignWeights


def load(
    cfg: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
) -> tuple[DarknetNetwork, Header]:
    """Build the network of a cfg on the CPU and load a complete weights file.

    Args:
        cfg: path of the cfg file.
        weights: path of the weights file.
        class_names: as for :func:`gluon_yolo.models.darknet.detection_spec.make_spec`.

    Returns:
        The network, and the header of the weights file.

    Raises:
        UserError: a file is invalid or missing, or the weights file is partial.
    """
    plan = make_plan(read_cfg(cfg))
    net = build(plan, class_names)
    found = read_own(weights, plan)
    if found.other_heads:
        raise UserError(explain(weights, plan, found))
    if not found.whole:
        raise UserError(
            f"{os.fspath(weights)}: {found}; {len(plan.convolutions)} are in {plan.cfg.path}: "
            "partial weights are to start a training from: "
            f"gluon-yolo train --network {plan.cfg.path} --weights {os.fspath(weights)} --data DATA"
        )
    net.initialize_weights()
    parameters = net._collect_params_with_prefix()
    for name, array in named_arrays(found).items():
        parameters[name].set_data(mx.nd.array(array))
    return net, found.header


def read_for(path: Path, net: DarknetNetwork) -> ForeignWeights:
    """Read a weights file for a network: of its cfg, of the network itself, or with other heads.

    Args:
        path: of the file.
        net: the network, which is not changed.

    Returns:
        The arrays by the network's parameter names; without the heads where these have another size.

    Raises:
        UserError: the file cannot be read, or is of another network.
    """
    plan = net.weights_plan
    found = read_own(path, plan)
    heads = {head.inputs[0]: net.plan.shape(head.inputs[0]).channels for head in net.plan.heads}
    if found.other_heads == heads and not found.rest:
        plan = net.plan
    elif found.other_heads:
        layers = {i: layer for i, layer in found.layers.items() if i not in found.other_heads}
        values = named_arrays(dataclasses.replace(found, layers=layers))
        why = f"the heads, {describe(net.plan, found)}"
        return ForeignWeights(values, left_out=(why,), misfit=explain(path, plan, found))
    anchors = tuple(head.anchors for head in plan.heads)
    return ForeignWeights(named_arrays(found), tuple(map(len, anchors)), anchors)


def save(
    net: DarknetNetwork,
    folder: str | os.PathLike[str],
    name: str,
    header: Header | None = None,
    cfg: Cfg | None = None,
) -> Path:
    """Write ``NAME.cfg``, ``NAME.weights`` and ``NAME.names``.

    Args:
        net: an initialized network.
        folder: created when absent.
        name: stem of the file names.
        header: of the weights; None is version 0.2.5 with no images seen.
        cfg: to write, with the same layers as the network; None is the network's own.

    Returns:
        The path of the cfg.

    Raises:
        UserError: a file cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = "".join(f"{class_name}\n" for class_name in net.spec.class_names)
        (folder / f"{name}.names").write_text(names, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error
    get_weights(net, header).write(folder / f"{name}.weights")
    (cfg or net.plan.cfg).write(folder / f"{name}.cfg")
    return folder / f"{name}.cfg"


def make_origin(
    cfg: str | os.PathLike[str], weights: str | os.PathLike[str], header: Header
) -> dict[str, Any]:
    """Return the entry of an imported model's record about its source files."""
    return {
        "kind": "darknet",
        "cfg": os.path.abspath(cfg),
        "weights": os.path.abspath(weights),
        "header": list(dataclasses.astuple(header)),
    }


def header_of(origin: Mapping[str, Any] | None) -> Header | None:
    """Return the header from an entry of :func:`make_origin`; None for a model of another origin."""
    return Header(*origin["header"]) if origin and origin.get("kind") == "darknet" else None
