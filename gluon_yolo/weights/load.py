"""Load weights into a network from any kind of file: the whole network, or the part that fits."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.data.anchors import format_anchors
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.file_names import BEST_WEIGHTS
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import gluon, mx
from gluon_yolo.spec import Anchors
from gluon_yolo.text import counted
from gluon_yolo.weights.file import EXPORTED, WeightsFile
from gluon_yolo.weights.gluoncv import published_name
from gluon_yolo.weights.gluoncv_store import store_file


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The result of loading a weights file.

    Attributes:
        source: the file.
        taken: names of the parameters that have the file's values.
        adapted: names of the heads' parameters of which only box channels and shared classes have the file's
            values.
        left_out: names in the file that were not loaded, each with the reason.
        fresh: names of the parameters that the file does not have.
        shared_classes: class names whose weights were copied.
        one_class: the name in the file of the only class, where the network's only class has another name.
    """

    source: str
    taken: tuple[str, ...]
    adapted: tuple[str, ...]
    left_out: tuple[str, ...]
    fresh: tuple[str, ...]
    shared_classes: tuple[str, ...]
    one_class: str = ""

    @property
    def whole(self) -> bool:
        """Whether every parameter of the network has the file's values."""
        return not self.adapted and not self.fresh

    def __str__(self) -> str:
        """Return a summary of one line or more."""
        text = f"{self.source}: {len(self.taken)} parameters taken"
        if self.adapted:
            shared = ", ".join(self.shared_classes) or "none"
            text += (
                f", {len(self.adapted)} of the heads adapted (classes taken over: {shared}; others are fresh)"
            )
        if self.one_class:
            text += f", the only class, called {self.one_class} there, among them"
        if self.fresh:
            text += f", {len(self.fresh)} left fresh ({_few(self.fresh)})"
        if self.left_out:
            text += f", {len(self.left_out)} left out ({_few(self.left_out)})"
        return text


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def structural_parameters(net: gluon.Block) -> dict[str, gluon.Parameter]:
    """Return a network's parameters and running statistics by name, without constants of the graph."""
    parameters = net._collect_params_with_prefix()
    return {name: p for name, p in parameters.items() if not isinstance(p, gluon.Constant)}


def load_weights(
    net: DetectionNetwork,
    source: str | os.PathLike[str],
    partial: bool = False,
    class_names: Sequence[str] | None = None,
    backbone_only: bool = False,
) -> Loaded:
    """Load a weights file into an initialized network; on an error the network is not changed.

    Args:
        net: the network; the weights are set on all of its devices.
        source: a ``.params`` file of this package or of GluonCV (detector or backbone), written by any of
            mxnet's functions; a file of a kind that has a reader for the network; or a model's folder.
        partial: load what fits and report the rest, for fine-tuning, where the only class of both may have
            two names; else the whole file must fit.
        class_names: of the network in the file, so that classes are matched by name; None looks beside the
            file. If there are none: a file with the network's number of classes has the network's names; for
            fine-tuning, 20 classes of another program are VOC's and 80 are COCO's.
        backbone_only: load the backbone only; needs ``partial``.

    Raises:
        UserError: the file is missing, is no weights file, or does not fit.
    """
    file = WeightsFile.read(_file_of(Path(source).expanduser()), net)
    if backbone_only:
        file = _backbone_of(net, file)
    count = _num_classes(net, file)
    names = class_names or file.class_names or _likely_class_names(net, count, file.is_foreign and partial)
    if names is not None and count is not None and len(names) != count:
        there = counted(count, "class")
        raise UserError(f"{file.path}: weights for {there}, with {counted(len(names), 'class name')} to them")
    one_class = ""
    if partial and names and len(names) == net.spec.num_classes == 1 and names[0] != net.spec.class_names[0]:
        one_class, names = names[0], net.spec.class_names  # Face and face, or any two names
    report, fitting = _fit(net, file, names)
    if not report.taken:
        raise UserError(
            f"{file.path}: holds no weights of {net.zoo_name}; name the network that it came from"
        )
    if one_class and net.class_channels.keys() & fitting.keys():
        report = dataclasses.replace(report, one_class=one_class)
    if not partial:
        _check_whole(net, file, report, count)
    _check_form(net, file, report)
    parameters = structural_parameters(net)
    for name, value in fitting.items():
        parameters[name].set_data(mx.nd.array(value))
    return report


def _file_of(path: Path) -> Path:
    """Return the weights file in the folder of a run, an imported model or an exported symbol.

    Raises:
        UserError: the folder has none.
    """
    if not path.is_dir():
        return path
    own, exported = path / "weights" / BEST_WEIGHTS, sorted(path.glob(f"*{EXPORTED}"))
    if not own.is_file() and len(exported) != 1:
        raise UserError(f"{path}: has no weights/best.params; name a model's folder, or a weights file")
    return own if own.is_file() else exported[0]


def load_pretrained(net: DetectionNetwork, backbone_only: bool = False) -> Loaded:
    """Load GluonCV's published weights from its model store, ``~/.mxnet/models``, or download them.

    Args:
        net: a network that GluonCV has under the same name; with ``backbone_only``, any with the same
            backbone.
        backbone_only: load the ImageNet weights of the backbone.

    Raises:
        UserError: GluonCV has no such weights, or they can be neither found nor downloaded.
    """
    name = published_name(net, backbone_only)
    if name is None:
        what = "its backbone" if backbone_only else "it"
        raise UserError(f"{net.zoo_name}: GluonCV publishes no weights of {what}; give a file with --weights")
    return load_weights(net, store_file(name), partial=True)


def _backbone_of(net: DetectionNetwork, file: WeightsFile) -> WeightsFile:
    """Return the part of a file's content that belongs to the backbone."""
    values = {
        name: value
        for name, value in file.values.items()
        if name.startswith(net.backbone_prefix) and name not in net.class_channels
    }
    return dataclasses.replace(file, values=values, anchors=None, anchors_per_level=None)


def _num_classes(net: DetectionNetwork, file: WeightsFile) -> int | None:
    """Return the number of classes of the heads in a file; None when it has no heads."""
    counts = _anchor_counts(net, file)
    for name, place in net.class_channels.items():
        if name in file.values:
            return place.count(file.values[name], counts[place.level])
    return None


def _anchor_counts(net: DetectionNetwork, file: WeightsFile) -> tuple[int, ...]:
    """Return the anchors per cell of each level in a file; where unknown, the network's."""
    counts = tuple(len(level) for level in file.anchors) if file.anchors else file.anchors_per_level
    return counts if counts and len(counts) == net.spec.num_levels else net.spec.anchors_per_level


def _likely_class_names(net: DetectionNetwork, count: int | None, published: bool) -> Sequence[str] | None:
    """Return the class names that heads with ``count`` classes likely have, if any."""
    for names in (VOC_CLASSES, COCO_CLASSES) if published else ():
        if len(names) == count:
            return names
    return net.spec.class_names if count == net.spec.num_classes else None


def _fit(
    net: DetectionNetwork, file: WeightsFile, class_names: Sequence[str] | None
) -> tuple[Loaded, dict[str, np.ndarray]]:
    """Return the report of loading a file, and the new values of the parameters."""
    spec = net.spec
    parameters = structural_parameters(net)
    taken, adapted, left_out = {}, {}, list(file.left_out)
    shared = [name for name in spec.class_names if class_names and name in class_names]
    renamed = class_names is not None and tuple(class_names) != spec.class_names
    their_anchors = _anchor_counts(net, file)
    for name, value in file.values.items():
        parameter = parameters.get(name)
        head = net.class_channels.get(name)
        if parameter is None:
            if not _is_constant(name):
                left_out.append(f"{name}: no such part here")
        elif head and head.box_channels and their_anchors[head.level] != head.anchors:
            left_out.append(f"{name}: {their_anchors[head.level]} anchors a cell, here {head.anchors}")
        elif parameter.shape == value.shape and not (head and renamed):
            taken[name] = value
        elif head and parameter.shape[1:] == value.shape[1:] and len(value) % head.anchors == 0:
            ours = parameter_io.array(parameter)
            adapted[name] = head.take_over(ours, value, spec.class_names, class_names or ())
        else:
            left_out.append(f"{name}: shape {value.shape}, here {parameter.shape}")
    if file.anchors and not _same_anchors(file.anchors, spec.anchors):
        left_out.append(f"anchors: {_shown(file.anchors)}, here {_shown(spec.anchors)}")
    fitting = {**taken, **adapted}
    fresh = [name for name in parameters if name not in fitting]
    report = Loaded(
        str(file.path), tuple(taken), tuple(adapted), tuple(left_out), tuple(fresh), tuple(shared)
    )
    return report, fitting


def _shown(anchors: Anchors) -> str:
    """Return anchors in the format of ``--anchors``."""
    return format_anchors([anchor for level in anchors for anchor in level])


def _is_constant(name: str) -> bool:
    """Return whether a name is that of a constant, which the network's record determines."""
    return name.startswith("normalize.") or name.endswith((".anchors", ".offsets"))


def _same_anchors(a: Anchors, b: Anchors) -> bool:
    return len(a) == len(b) and all(np.shape(x) == np.shape(y) and np.allclose(x, y) for x, y in zip(a, b))


def _check_whole(net: DetectionNetwork, file: WeightsFile, report: Loaded, count: int | None) -> None:
    """Raise a UserError unless the file is that of this very network."""
    if file.misfit:
        raise SettingError(file.misfit)
    counts = _anchor_counts(net, file)
    if counts != net.spec.anchors_per_level:
        if file.anchors:
            raise _other_anchors(net, file)
        theirs, ours = (", ".join(map(str, some)) for some in (counts, net.spec.anchors_per_level))
        raise UserError(
            f"{file.path}: weights of {theirs} anchors a level, but the network has {ours}; give it the "
            "anchors that the weights were trained with"
        )
    if report.fresh:
        raise UserError(
            f"{file.path}: not the weights of {net.zoo_name}: {len(report.fresh)} of its parameters are "
            f"absent or of another shape ({_few(report.fresh)}); name the network that it came from "
            "(a part of one can only start a training)"
        )
    if report.adapted:
        classes = net.spec.num_classes
        there = "other classes" if count is None else counted(count, "class")
        text = (
            f"weights for {there}, but the network has {classes}"
            if count != classes
            else f"weights for other class names, or in another order, than {_few(net.spec.class_names)}"
        )
        raise UserError(f"{file.path}: {text}; give the class names that it was trained on")
    if file.anchors and not _same_anchors(file.anchors, net.spec.anchors):
        raise _other_anchors(net, file)


def _check_form(net: DetectionNetwork, file: WeightsFile, report: Loaded) -> None:
    """Raise a UserError where the taken backbone computes something else in this network."""
    theirs, ours = file.form, net.spec.backbone
    prefix = net.backbone_prefix
    if theirs is None or theirs == ours or not (prefix and any(n.startswith(prefix) for n in report.taken)):
        return
    own = f"the one of {net.zoo_name}"
    raise UserError(
        f"{file.path}: its backbone is {str(theirs) or own}, and the network is built with "
        f"{str(ours) or own}: build the network with the backbone of the weights"
    )


def _other_anchors(net: DetectionNetwork, file: WeightsFile) -> UserError:
    return UserError(
        f"{file.path}: trained with the anchors {_shown(file.anchors or ())}, but the network has "
        f"{_shown(net.spec.anchors)}; build the network with the file's anchors"
    )
