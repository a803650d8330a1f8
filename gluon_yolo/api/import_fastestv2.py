"""``gluon_yolo.import_fastestv2``: convert a Yolo-FastestV2 network to a model folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.data.anchors import by_level, named_anchors
from gluon_yolo.exporters import memory_need
from gluon_yolo.exporters.imported import Imported, write_imported
from gluon_yolo.exporters.source_model import ClassNames, PathLike, read_classes
from gluon_yolo.input_size import Size, parse_size
from gluon_yolo.models.build import find_architecture
from gluon_yolo.weights.load import load_weights


def import_fastestv2(
    weights: PathLike,
    names: ClassNames,
    out: PathLike = "imported",
    *,
    anchors: PathLike | Sequence[Sequence[float]] | None = None,
    size: Size | None = None,
) -> Imported:
    """Convert the ``.pth`` of a Yolo-FastestV2 to a folder that training, evaluation, demo and export accept.

    torch is not needed, and no code in the file is run.

    Args:
        weights: the ``.pth`` of the whole model, as Yolo-FastestV2's training writes it.
        names: the class names in the network's order: a file with one a line, or a sequence.
        out: the folder to write; it must be absent or empty.
        anchors: the anchors of its ``.data`` file: a file, a list ``"w,h,w,h,..."``, or pairs (A, 2) in input
            pixels. None takes the anchors of its COCO model.
        size: input size in pixels, as ``320``, ``"320x416"`` (height first) or ``(320, 416)``. None takes
            352.

    Returns:
        The folder and what was read. ``print(imported)`` shows how to use it.

    Raises:
        UserError: a file is missing, damaged or belongs to another network, names or anchors do not fit it,
            or the folder is not empty.
    """
    class_names = read_classes(names)
    size_hw = None if size is None else parse_size(size)
    given: np.ndarray | None = None
    if isinstance(anchors, (str, os.PathLike)):
        given = named_anchors(os.fspath(anchors))
    elif anchors is not None:
        given = np.asarray(anchors, dtype=float).reshape(-1, 2)
    known = find_architecture("yolo_fastestv2")
    levels = None if given is None else by_level(given, known.spec.num_levels)
    memory_need.check_import(Path(weights))
    net = known.build(class_names, levels)
    net.initialize_weights()
    report = load_weights(net, weights, class_names=class_names)
    origin = {"kind": "fastestv2", "weights": os.path.abspath(weights)}
    size_hw = size_hw or known.size_hw
    return write_imported(net, known, out, size_hw, origin, (str(report),), os.fspath(weights))
