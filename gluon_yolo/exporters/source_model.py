"""SourceModel: the network to export or quantize, loaded from any kind of source."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Union

from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters import model_dir
from gluon_yolo.exporters.exported import Exported
from gluon_yolo.file_names import made_name
from gluon_yolo.inference.model_files import weights_of
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.open_model import best_threshold_of
from gluon_yolo.inference.runtimes.mxnet import from_record, from_weights
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.models import zoo
from gluon_yolo.models.build import check_own_classes
from gluon_yolo.models.caffe.network import CaffeNetwork
from gluon_yolo.models.darknet.network import DarknetNetwork
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.nms import USUAL_DETECTIONS
from gluon_yolo.system import memory
from gluon_yolo.text import size_word


class HasFolder(Protocol):
    """The result of a training or an export."""

    @property
    def folder(self) -> Path:
        """The folder of the run or of the exported model."""


PathLike = Union[str, "os.PathLike[str]"]
Model = Union[PathLike, DetectionNetwork, CaffeNetwork, HasFolder]
ClassNames = Union[PathLike, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class SourceModel:
    """A network with its weights, and what an export needs to know about it.

    Args:
        net: the network with its weights.
        size_hw: input size, height and width in pixels.
        fit: how an image is fitted to the input size, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
        origin: where an imported model is from.
        name: the name of the run, or the stem of the exported files; None for a network in memory.
        max_detections: the limit for one image that the model was trained or exported with.
        best_threshold: the score threshold with the best F1 in its validation; None where it is not known.
        given_as: how the user named the model, for reports.
        max_candidates: pairs that enter NMS, as the model was exported; None follows the detections.
    """

    net: Any
    size_hw: tuple[int, int]
    fit: str
    origin: dict[str, Any] | None = None
    name: str | None = None
    max_detections: int = USUAL_DETECTIONS
    best_threshold: float | None = None
    given_as: str = ""
    max_candidates: int | None = None


def load_model(
    model: Model,
    weights: PathLike | None = None,
    classes: ClassNames | None = None,
    size_hw: tuple[int, int] | None = None,
) -> SourceModel:
    """Load a model to export or quantize.

    Args:
        model: the folder of a run or of an imported model (its best weights; ``RUN/last``: its last), a
            weights file in it, an exported folder with a symbol in float32, the result of
            :func:`gluon_yolo.train` or :func:`gluon_yolo.export`, or a network in memory. With ``weights``: a
            network's name or a darknet cfg.
        weights: a weights file or a run, where ``model`` is a network's name.
        classes: class names of such a network: a file with one a line, or a sequence. None takes the
            network's own.
        size_hw: input size, height and width in pixels. None takes the model's own; for a network in memory,
            the default of its architecture.

    Raises:
        UserError: it cannot be loaded, or cannot be exported.
    """
    if isinstance(model, (DetectionNetwork, CaffeNetwork)):
        source = _of_network(model, size_hw)
    elif weights is not None:
        source = _of_weights(_path_of(model), weights, classes)
    else:
        source = _of_path(_path_of(model))
    memory.give_back()  # what was read from the file
    spec = source.net.spec
    if isinstance(spec, LandmarkSpec) and size_hw not in (None, spec.size_hw):
        raise SettingError(f"{{size}}: a landmark network takes {size_word(spec.size_hw)} alone")
    return dataclasses.replace(source, size_hw=size_hw or source.size_hw)


def load_detector(
    model: Model,
    weights: PathLike | None = None,
    classes: ClassNames | None = None,
    size_hw: tuple[int, int] | None = None,
) -> SourceModel:
    """Load a model as :func:`load_model` does, where only a detector will do.

    Raises:
        UserError: it cannot be loaded, or is a network of face landmarks.
    """
    if weights is None and not isinstance(model, (DetectionNetwork, CaffeNetwork)):
        # Before it is loaded: an exported landmark network cannot be, and the task is what is wrong with it.
        path = _path_of(model)
        _check_detector(read_model(Path(path))[0].spec, path)
    source = load_model(model, weights, classes, size_hw)
    _check_detector(source.net.spec, source.given_as or source.net.zoo_name)
    return source


def _check_detector(spec: object, named: str) -> None:
    if isinstance(spec, LandmarkSpec):
        raise UserError(f"{named}: is a network of face landmarks, where a detector is expected")


def _path_of(model: Model) -> str:
    """Return the path of a model that is not a network in memory.

    Raises:
        SettingError: it has no path.
    """
    if isinstance(model, Exported) and model.record is not None:
        return os.fspath(model.record)
    path = getattr(model, "folder", model)
    if isinstance(path, (str, os.PathLike)):
        return os.fspath(path)
    raise SettingError(
        f"{{model}} of type {type(model).__name__}: expected a path, a network, or what train or export "
        "returned"
    )


def read_classes(classes: ClassNames | None) -> tuple[str, ...] | None:
    """Return class names from a file or a sequence; None stays None.

    Raises:
        UserError: the file cannot be read.
    """
    if classes is None or isinstance(classes, (str, os.PathLike)):
        return read_class_names(classes) if classes else None
    return tuple(classes)


def _of_path(given_as: str) -> SourceModel:
    path = Path(given_as)
    record, file = read_model(path)
    known = (record.size_hw, record.fit, record.origin)
    if not record.is_run:
        net = model_dir.load(record, file.parent)
        limits = (record.max_detections, record.best_threshold)
        return SourceModel(net, *known, record.name, *limits, given_as, record.max_candidates)
    net = from_record(record, file.parent, weights_of(path))
    limits = (record.max_detections, best_threshold_of(record, path))
    return SourceModel(net, *known, made_name(record.name) or None, *limits, given_as)


def _of_weights(network: str, weights: PathLike, classes: ClassNames | None) -> SourceModel:
    class_names = read_classes(classes)
    if class_names is None:
        check_own_classes(network)
    net, known = from_weights(network, weights, class_names)
    given_as = f"{network} {os.fspath(weights)}"
    return SourceModel(net, known.size_hw, known.fit, given_as=given_as)


def _of_network(net: DetectionNetwork | CaffeNetwork, size_hw: tuple[int, int] | None) -> SourceModel:
    """Return the source model of a network in memory, which has no record of its input size.

    Raises:
        SettingError: ``size_hw`` is None, and the network is neither from the zoo nor a darknet network.
    """
    if isinstance(net, CaffeNetwork):
        return SourceModel(net, net.spec.size_hw, "resize", given_as=net.zoo_name)
    if isinstance(net, DarknetNetwork):
        image, fit = net.plan.image, "letterbox" if net.plan.letterbox else "resize"
        return SourceModel(net, (image.height, image.width), fit, given_as=net.zoo_name)
    try:
        usual_hw = zoo.entry(net.zoo_name).size_hw
    except KeyError:
        if size_hw is None:
            raise SettingError(
                f"{{size}}: is missing; {net.zoo_name} is no network of the zoo, whose size is known"
            ) from None
        usual_hw = size_hw
    return SourceModel(net, usual_hw, "resize", given_as=net.zoo_name)
