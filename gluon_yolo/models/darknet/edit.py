"""Edits of a cfg for other classes, anchors or input sizes; all other keys stay."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import Cfg
from gluon_yolo.models.darknet.layers import Convolution
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.spec import Anchors
from gluon_yolo.text import exact


def with_heads(
    cfg: Cfg,
    num_classes: int | None = None,
    anchors: Anchors | None = None,
    xy_scales: Sequence[float] | None = None,
) -> Cfg:
    """Return a cfg with other ``[yolo]`` sections, and the matching ``filters`` before each.

    Args:
        cfg: of a network.
        num_classes: None keeps the number of classes.
        anchors: per level by ascending stride, (width, height) in input pixels; None keeps them.
        xy_scales: per level by ascending stride, the range of a centre in cells; None keeps them.

    Raises:
        UserError: the cfg is invalid (:func:`gluon_yolo.models.darknet.plan.make_plan`), a ``[yolo]`` does
            not follow a convolution, or the anchors have another number of levels.
    """
    plan = make_plan(cfg)
    levels = anchors or tuple(head.anchors for head in plan.heads)
    count = plan.heads[0].num_classes if num_classes is None else num_classes
    if len(levels) != len(plan.heads):
        raise UserError(f"{cfg.path}: has {len(plan.heads)} levels, but the anchors are for {len(levels)}")
    changes: dict[int, dict[str, str]] = {}
    first = 0
    for number, (head, level) in enumerate(zip(plan.heads, levels)):
        if not isinstance(plan.layers[head.inputs[0]], Convolution):
            raise head.section.error("does not follow a [convolutional], so it cannot be changed")
        changes[head.inputs[0] + 1] = {"filters": str(len(level) * (5 + count))}  # [net] is section 0
        changes[head.index + 1] = {"classes": str(count)}
        if anchors:
            changes[head.index + 1].update(
                mask=",".join(str(first + i) for i in range(len(level))),
                anchors=",".join(exact(side) for some in levels for pair in some for side in pair),
                num=str(sum(map(len, levels))),
            )
        if xy_scales is not None:
            changes[head.index + 1]["scale_x_y"] = exact(xy_scales[number])
        first += len(level)
    return cfg.replaced(changes.items())


def with_input(cfg: Cfg, size_hw: tuple[int, int], letterbox: bool) -> Cfg:
    """Return a cfg with another input size.

    Args:
        cfg: of a network.
        size_hw: height and width of the input in pixels.
        letterbox: whether images are resized with their aspect ratio kept.
    """
    net = cfg.sections[0]
    changes = {"width": str(size_hw[1]), "height": str(size_hw[0])}
    if bool(net.get_int("letter_box", 0)) != letterbox:
        changes["letter_box"] = str(int(letterbox))
    return cfg.replaced([(0, changes)])
