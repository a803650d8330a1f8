"""Checks of the ``[yolo]`` sections: channels and classes that an incomplete edit makes inconsistent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gluon_yolo.models.darknet.layers import Convolution, Layer, Yolo
from gluon_yolo.models.head_layout import BOX_CHANNELS
from gluon_yolo.text import counted


def check_channels(layers: Sequence[Layer], head: Yolo) -> None:
    """Check that a head's input has as many channels as its anchors and classes need.

    Args:
        layers: those before the head.
        head: the ``[yolo]`` after them.

    Raises:
        UserError: it has not; the message has the right ``filters``.
    """
    anchors, classes = len(head.anchors), head.num_classes
    there, wanted = head.output.channels, anchors * (BOX_CHANNELS + classes)
    if there == wanted:
        return
    before = layers[head.inputs[0]] if head.inputs[0] >= 0 else None
    if not isinstance(before, Convolution):
        raise head.section.error(
            f"reads {there} channels, where {counted(anchors, 'anchor')} and {counted(classes, 'class')} "
            f"want {wanted}"
        )
    line = head.section.line
    raise before.section.error(
        f"filters={there}: the [yolo] on line {line} has classes={classes} and {anchors} of the anchors "
        f"(mask), which want filters=(classes + {BOX_CHANNELS}) * {anchors} = {wanted}"
        f"{_meaning(there, anchors, classes)}",
        "filters",
    )


def check_classes(heads: Sequence[Yolo]) -> None:
    """Check that all heads have the same number of classes.

    Raises:
        UserError: they have not; the message names the head that differs from the majority, or the last of
            two.
    """
    counts = Counter(head.num_classes for head in heads)
    if len(counts) == 1:
        return
    common = max(counts, key=lambda count: counts[count])
    odd = next(head for head in heads if head.num_classes != common)
    other = next(head for head in heads if head.num_classes == common)
    raise odd.section.error(
        f"classes={odd.num_classes}: but the [yolo] on line {other.section.line} has classes={common}; all "
        "heads know the same classes",
        "classes",
    )


def _meaning(channels: int, anchors: int, classes: int) -> str:
    """Return a hint: the number of classes or anchors for which these channels are right."""
    others, rest = divmod(channels, anchors)
    if not rest and others > BOX_CHANNELS:
        return f"; {channels} is for classes={others - BOX_CHANNELS}"
    others, rest = divmod(channels, BOX_CHANNELS + classes)
    return "" if rest or not others else f"; {channels} is for {counted(others, 'anchor')}"
