"""Messages about darknet weights whose heads differ from their cfg: which heads, and which cfg fits."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.plan import Plan, make_plan
from gluon_yolo.models.head_layout import BOX_CHANNELS
from gluon_yolo.text import joined
from gluon_yolo.weights.darknet_file import Weights, read_weights, shapes_of

MOST_CFGS = 50  # number of cfgs beside a weights file that are tried
_HEADERS = (16, 20)  # lengths in bytes


def read_own(path: str | os.PathLike[str], plan: Plan) -> Weights:
    """Read a weights file as :func:`gluon_yolo.weights.darknet_file.read_weights` does.

    Raises:
        UserError: as for that function; for weights of another network the message names a cfg beside them
            that fits.
    """
    try:
        return read_weights(path, plan)
    except UserError as error:
        fitting = next(_fitting_cfgs(Path(path), plan), None)
        if fitting is None:
            raise
        raise UserError(f"{error}; {fitting} fits them") from error


def describe(plan: Plan, found: Weights) -> str:
    """Return which heads in a file have another size: ``layers 5 and 8: 255 channels, as of 80 classes``.

    Args:
        plan: of the network.
        found: content of the file.
    """
    if found.rest:
        return f"since the file goes on for {found.rest} bytes behind them, as that of more levels does"
    channels, parts = found.other_heads, []
    for count in dict.fromkeys(channels.values()):
        layers = [index for index, number in sorted(channels.items()) if number == count]
        own = sorted({plan.shape(index).channels for index in layers})
        place = f"layer {layers[0]}" if len(layers) == 1 else f"layers {joined(layers)}"
        parts.append(f"{place}: {count} channels{_meaning(plan, layers, count)}, here {joined(own)}")
    return "; ".join(parts)


def explain(path: str | os.PathLike[str], plan: Plan, found: Weights) -> str:
    """Return why weights are not a cfg's complete network, and what to do.

    Args:
        path: of the weights.
        plan: of the cfg.
        found: content of the file, with other heads than the cfg's.
    """
    weights, cfg = os.fspath(path), plan.cfg.path
    are_all = len(found.layers) == len(plan.convolutions)
    extent = "all layers" if are_all else f"layers 0 to {max(found.layers)}"
    what = f"other heads ({describe(plan, found)}), which would be random"
    if found.rest:
        what = f"goes on for {found.rest} bytes behind them, as the weights of more levels do"
    fitting = next(_fitting_cfgs(Path(weights), plan), None)
    advice = f"give {fitting}, which fits" if fitting else _edit(plan, found)
    train = f"gluon-yolo train --network {shlex.quote(cfg)} --weights {shlex.quote(weights)} --data DATA"
    return (
        f"{weights}: has {extent} of {cfg} but {what}: it was trained with another cfg: {advice}. To train "
        f"{cfg} from these weights: {train}"
    )


def _edit(plan: Plan, found: Weights) -> str:
    """Return the edits of a copy of the cfg that make it fit."""
    if found.rest:
        return "give that one"
    edits = []
    for head in plan.heads:
        count = found.other_heads.get(head.inputs[0])
        if count is not None:
            classes = _classes(count, len(head.anchors))
            key = f" and classes={classes}" if classes else " and the classes and anchors of that training"
            edits.append(f"filters={count}{key}")
    return f"give that one, or a copy of {plan.cfg.path} with {joined(list(dict.fromkeys(edits)))}"


def _meaning(plan: Plan, layers: list[int], count: int) -> str:
    """Return for which number of classes the channels are right, with the cfg's number of anchors."""
    anchors = {len(head.anchors) for head in plan.heads if head.inputs[0] in layers}
    classes = _classes(count, anchors.pop()) if len(anchors) == 1 else None
    return f", as of {classes} classes" if classes else ""


def _classes(channels: int, anchors: int) -> int | None:
    each, rest = divmod(channels, anchors)
    return None if rest or each <= BOX_CHANNELS else each - BOX_CHANNELS


def _fitting_cfgs(weights: Path, plan: Plan) -> Iterator[Path]:
    """Yield the cfgs in the folders of a weights file and its cfg for which the file is complete."""
    folders = dict.fromkeys((weights.absolute().parent, Path(plan.cfg.path).absolute().parent))
    paths = [path for folder in folders for path in sorted(folder.glob("*.cfg"))]
    for path in paths[:MOST_CFGS]:
        try:
            other = make_plan(read_cfg(path))
            size = 4 * sum(shape.count for shape in shapes_of(other))
            if weights.stat().st_size - size in _HEADERS and read_weights(weights, other).whole:
                yield path
        except (UserError, OSError):
            continue  # not the cfg of this file
