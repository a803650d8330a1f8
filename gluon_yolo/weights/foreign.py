"""ForeignWeights: another program's weights under the names of a network here."""

from __future__ import annotations

import dataclasses

import numpy as np

from gluon_yolo.spec import Anchors


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
    """What another program's weights file holds.

    Args:
        values: arrays under a network's own names; those that have no place in it, under their own.
        anchors_per_level: how many anchors a cell has at each level, ascending stride.
        anchors: which, as far as the file tells.
        left_out: what is not among the values, each with the reason.
        misfit: why they are not the whole network, and what to do; None where nothing but their names and
            shapes tells.
    """

    values: dict[str, np.ndarray]
    anchors_per_level: tuple[int, ...] | None = None
    anchors: Anchors | None = None
    left_out: tuple[str, ...] = ()
    misfit: str | None = None
