"""The result of reading another program's weights file for a network."""

from __future__ import annotations

import dataclasses

import numpy as np

from gluon_yolo.spec import Anchors, BackboneForm


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
    """The content of another program's weights file.

    Args:
        values: arrays by the network's parameter names; an array without a parameter keeps its own name.
        anchors_per_level: number of anchors per cell at each level, by ascending stride; None when unknown.
        anchors: the anchors in input pixels; None when unknown.
        left_out: arrays of the file that are not in ``values``, each with the reason.
        misfit: why the values are not the whole network, and what to do; None where this follows from names
            and shapes.
        form: of the backbone; None when unknown.
    """

    values: dict[str, np.ndarray]
    anchors_per_level: tuple[int, ...] | None = None
    anchors: Anchors | None = None
    left_out: tuple[str, ...] = ()
    misfit: str | None = None
    form: BackboneForm | None = None
