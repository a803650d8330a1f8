"""A darknet network as two files, ``.cfg`` and ``.weights``: read into a block, written from one."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.darknet.cfg import read_cfg
from gluon_yolo.darknet.network import DarknetNetwork, build
from gluon_yolo.darknet.plan import make_plan
from gluon_yolo.darknet.transfer import get_weights, set_weights
from gluon_yolo.darknet.weights import Header, read_weights
from gluon_yolo.errors import UserError

logger = logging.getLogger("gluon_yolo")


def load(
    cfg: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    norm: str = "bn",
    num_devices: int = 1,
) -> DarknetNetwork:
    """Build a cfg's network on the CPU with the numbers of a whole weights file.

    Args:
        cfg: the network.
        weights: its numbers.
        class_names: as :func:`gluon_yolo.darknet.levels.make_spec` takes them.
        norm: ``bn``, ``sync`` or ``frozen``.
        num_devices: devices that share ``sync`` statistics.

    Raises:
        UserError: a file is wrong or missing, or the weights are a partial file.
    """
    plan = make_plan(read_cfg(cfg))
    if plan.idle:
        logger.info("%s: no part in what the network computes: %s", plan.cfg.path, ", ".join(plan.idle))
    found = read_weights(weights, plan)
    if not found.whole:
        raise UserError(
            f"{os.fspath(weights)}: {found}; {len(plan.convolutions)} are in {plan.cfg.path}: "
            "partial weights are to start a training from"
        )
    net = build(plan, class_names, norm, num_devices)
    net.initialize_weights()
    set_weights(net, found)
    return net


def save(
    net: DarknetNetwork, folder: str | os.PathLike[str], name: str, header: Header | None = None
) -> Path:
    """Write ``NAME.cfg``, ``NAME.weights`` and ``NAME.names``.

    Args:
        net: the network with its weights.
        folder: made when absent.
        name: stem of the files.
        header: of the weights; None takes version 0.2.5 with no pictures seen.

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
    net.plan.cfg.write(folder / f"{name}.cfg")
    return folder / f"{name}.cfg"
