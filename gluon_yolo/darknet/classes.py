"""A cfg for another class list: the heads' channels change, all else stays."""

from __future__ import annotations

from gluon_yolo.darknet.cfg import Cfg
from gluon_yolo.darknet.layers import Convolution
from gluon_yolo.darknet.plan import make_plan


def with_classes(cfg: Cfg, count: int) -> Cfg:
    """Return the cfg with ``count`` classes in every ``[yolo]``, and the filters that this wants before it.

    Raises:
        UserError: the cfg is wrong (:func:`gluon_yolo.darknet.plan.make_plan`), or a ``[yolo]`` does not
            follow a convolution.
    """
    plan = make_plan(cfg)
    changes: dict[int, dict[str, str]] = {}
    for head in plan.heads:
        if not isinstance(plan.layers[head.inputs[0]], Convolution):
            raise head.section.error("does not follow a [convolutional], so its classes cannot be changed")
        changes[head.index] = {"filters": str(len(head.anchors) * (5 + count))}  # [net] is section 0
        changes[head.index + 1] = {"classes": str(count)}
    return cfg.replaced(changes.items())
