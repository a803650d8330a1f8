"""A darknet network as two files, ``.cfg`` and ``.weights``: read into a block, written from one."""

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
    """Build a cfg's network on the CPU with the numbers of a whole weights file.

    Args:
        cfg: the network.
        weights: its numbers.
        class_names: as :func:`gluon_yolo.models.darknet.detection_spec.make_spec` takes them.

    Returns:
        The network, and the header of the weights.

    Raises:
        UserError: a file is wrong or missing, or the weights are a partial file.
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
    """Read a weights file for a network: of its cfg, of the network as it is built, or of others' heads.

    Args:
        path: the file.
        net: what it is for; it is not changed.

    Returns:
        The arrays by the network's names; without the heads where these are another cfg's.

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
        net: the network with its weights.
        folder: made when absent.
        name: stem of the files.
        header: of the weights; None takes version 0.2.5 with no images seen.
        cfg: to write, with the network's layers; None takes the network's own.

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
    """Return what the record of an imported model says of where it comes from."""
    return {
        "kind": "darknet",
        "cfg": os.path.abspath(cfg),
        "weights": os.path.abspath(weights),
        "header": list(dataclasses.astuple(header)),
    }


def header_of(origin: Mapping[str, Any] | None) -> Header | None:
    """Return the header in what :func:`make_origin` made; None for a model from elsewhere."""
    return Header(*origin["header"]) if origin and origin.get("kind") == "darknet" else None
