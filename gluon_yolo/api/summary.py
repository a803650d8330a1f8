"""``gluon_yolo.summary``: the layers, parameters and FLOPs of a network, as ``summary`` prints them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast

from gluon_yolo.api.model import Trained, path_of
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.model_files import names_model, weights_of
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.input_size import Size, parse_size
from gluon_yolo.landmarks import TASK, LandmarkSpec
from gluon_yolo.text import size_word

if TYPE_CHECKING:
    from gluon_yolo.models.detector import DetectionNetwork
    from gluon_yolo.models.summary import Summary

Named = Union[str, "os.PathLike[str]", Trained]
_BLOCK_SIZE_HW = (416, 416)  # for a network in memory, which has no input size


def summary(
    network: Named | DetectionNetwork, size: Size | None = None, classes: int | Sequence[str] | None = None
) -> Summary:
    """Count the layers, parameters and FLOPs of a network. No weights are needed.

    Args:
        network: a name of the zoo, such as ``yolo3_mobilenet1.0_voc``, or ``mobilenet1_0`` for VOC's classes;
            a darknet ``.cfg``; the folder of a run or of an imported model; the result of ``train``; or a
            network in memory.
        size: input size in pixels, as 416 or (height, width). None takes the network's own.
        classes: the number of classes, or their names. None takes the network's own.

    Returns:
        The counts. ``print(summary)`` shows the table; ``to_df()`` has a row for each layer.

    Raises:
        UserError: the network does not exist, has no classes of its own, or does not accept the size.

    Example:
        >>> print(gluon_yolo.summary("yolo3_mobilenet1.0_voc", size=320))
    """
    from gluon_yolo.models.summary import summarize

    names: tuple[str, ...] | None = None
    if isinstance(classes, int):
        if classes < 1:
            raise SettingError(f"{{classes}}: expected 1 or more, got {classes}")
        names = tuple(f"class {index}" for index in range(classes))
    elif classes is not None:
        names = tuple(classes)
    size_hw = None if size is None else parse_size(size)
    if isinstance(network, (str, os.PathLike)) or hasattr(network, "folder"):
        word = network if isinstance(network, str) else os.fspath(path_of(network))
        net, own_size_hw = _build(word, names)
    else:
        net, own_size_hw = cast("DetectionNetwork", network), _BLOCK_SIZE_HW
        if names is not None:
            raise SettingError("{classes}: a network in memory has its classes; build another one")
    size_hw = size_hw or own_size_hw
    if isinstance(net.spec, LandmarkSpec):
        if size is not None and size_hw != net.spec.size_hw:
            raise SettingError(f"{{size}}: a landmark network takes {size_word(net.spec.size_hw)} alone")
        size_hw = net.spec.size_hw
    elif any(side % net.spec.max_stride for side in size_hw):
        raise SettingError(f"{{size}}: expected multiples of {net.spec.max_stride}, got {size}")
    return summarize(net, size_hw)


def _build(network: str, class_names: tuple[str, ...] | None) -> tuple[Any, tuple[int, int]]:
    """Return a network without weights, and its input size (height, width) in pixels.

    Args:
        network: a name of the zoo, a cfg, or a model folder.
        class_names: None takes the network's own; for a name of the zoo without a data set, VOC's.

    Raises:
        UserError: the network does not exist, or has no classes of its own.
    """
    from gluon_yolo.models.build import find_architecture

    path = Path(network)
    if names_model(path):
        record, file = read_model(path)
        if not record.is_run:
            raise UserError(f"{path}: is an exported graph; name the run or the network that it came from")
        if record.task == TASK:
            from gluon_yolo.weights.caffe_model import load_written

            return load_written(record, file.parent, weights_of(path)), record.size_hw
        known = find_architecture(record.network, file.parent)
        spec = record.spec
        return known.rebuild(spec, class_names), record.size_hw
    known = find_architecture(network, datasets=() if class_names else ("voc",))
    if class_names is None and known.name.endswith("_custom") and not network.endswith(".cfg"):
        raise SettingError(f"{known.name} has no number of classes of its own: add {{classes}} N")
    return known.build(class_names), known.size_hw
