"""Teacher: a trained detector whose predictions on the images of a batch are targets of the training."""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.data.classes.read import listed
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.source_model import SourceModel, load_detector
from gluon_yolo.models.decode import level_decoders
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import counted
from gluon_yolo.training.config import Args, TrainConfig
from gluon_yolo.training.resumed import TEACHER
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.weights.load import structural_parameters

log = logging.getLogger("gluon_yolo")


class Teacher(NamedTuple):
    """A teacher and what is needed to learn from it.

    Args:
        block: pixels to predictions (:class:`TeacherPredictions`), initialized on the CPU.
        weight: of its losses.
        record: its fingerprint.
        line: for the log.
    """

    block: TeacherPredictions
    weight: float
    record: Mapping[str, str]
    line: str


class TeacherPredictions(gluon.HybridBlock):
    """Turn pixels into a teacher's box, objectness and class probabilities at each of its anchors.

    Args:
        net: the teacher.
        class_ids: of the teacher, for each class of the network that is trained.
    """

    def __init__(self, net: DetectionNetwork, class_ids: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.net = net
        self.decoders = level_decoders(net.spec)
        self.class_ids = tuple(class_ids)
        self.is_ordered = self.class_ids == tuple(range(net.spec.num_classes))

    def hybrid_forward(self, F: Any, pixels: Any) -> Any:
        """Return predictions (B, N, 5 + C).

        Args:
            F: ``mx.nd`` or ``mx.sym``.
            pixels: (B, H, W, 3) RGB, 0..255.

        Returns:
            Corners in input pixels, objectness 0..1, and the probability of each class in the order of the
            network that is trained.
        """
        levels = []
        for decoder, raw in zip(self.decoders, self.net(pixels)):
            *corners, objectness, classes = decoder(raw)
            logits = decoder.rule.class_rows(F, classes, decoder.num_anchors)
            probabilities = decoder.rule.class_probabilities(F, logits)
            if not self.is_ordered:
                columns = (F.slice_axis(probabilities, axis=2, begin=at, end=at + 1) for at in self.class_ids)
                probabilities = F.concat(*columns, dim=2)
            boxes = F.stack(*corners, F.sigmoid(objectness), axis=2)
            levels.append(F.concat(boxes, probabilities, dim=2))
        return F.concat(*levels, dim=1)


def open_teacher(
    config: TrainConfig, spec: DetectionSpec, resumed: RunFolder | None = None
) -> Teacher | None:
    """Return the teacher of a training; None where it has none.

    Args:
        config: of the training.
        spec: of the network that is trained.
        resumed: the run that is resumed or restarted, if any.

    Raises:
        UserError: the teacher cannot be read, has other classes, cannot take the input sizes, or is not the
            one that the resumed run has learned from.
    """
    if config.teacher is None:
        return None
    net = _load(config, resumed).net
    class_ids = _class_ids(config.teacher, net.spec.class_names, spec.class_names)
    _check_sizes(config, net.spec)
    record = {"network": net.zoo_name, "sha256": _digest(config.teacher, net)}
    if resumed and resumed.teacher() not in ({}, record):
        raise SettingError(
            f"{{teacher}} {config.teacher}: has other weights than the teacher of {resumed.path} had; name "
            f"that one, or start a new run from its weights: {{weights}} {shlex.quote(str(resumed.path))}"
        )
    block = TeacherPredictions(net, class_ids)
    block.decoders.initialize()
    line = (
        f"teacher: {net.zoo_name} of {config.teacher}; losses against it count {config.distil_weight:g} "
        "times as much as those against the annotations"
    )
    return Teacher(block, config.distil_weight, record, line)


def keep_teacher(folder: RunFolder, teacher: Teacher, args: Args) -> None:
    """Write into a run's folder which teacher it has, and where that is now.

    Args:
        folder: of the run.
        teacher: of the run.
        args: the settings of the run, in plain form.
    """
    if not folder.teacher():
        folder.write_teacher(teacher.record)
    kept, places = folder.args(), {name: args[name] for name in TEACHER}
    if {name: kept.get(name) for name in TEACHER} != places:
        folder.write_args({**kept, **places})


def _load(config: TrainConfig, resumed: RunFolder | None) -> SourceModel:
    """Return the teacher's network with its weights.

    Raises:
        UserError: it cannot be read.
    """
    path, weights = config.teacher, config.teacher_weights
    assert path is not None
    try:
        return load_detector(path, weights, config.teacher_classes)
    except UserError as error:
        way = ""
        if resumed:
            command = f"gluon-yolo train --resume {shlex.quote(str(resumed.path))} --teacher NEW"
            way = f". If the run's teacher lies elsewhere now: {command}"
        raise UserError(f"the teacher of this training: {error}{way}") from error


def _digest(teacher: str, net: DetectionNetwork) -> str:
    """Return a digest of the weights.

    Raises:
        SettingError: they are not finite numbers.
    """
    digest = hashlib.sha256()
    for name, parameter in sorted(structural_parameters(net).items()):
        array = parameter_io.array(parameter)
        if not np.isfinite(array).all():
            raise SettingError(f"{{teacher}} {teacher}: its weights {name} are not finite numbers")
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()


def _class_ids(teacher: str, theirs: Sequence[str], ours: Sequence[str]) -> list[int]:
    """Return the teacher's class id of each of our classes.

    Raises:
        SettingError: the classes are not the same.
    """
    spellings = Spellings()
    found = [spellings.find(name, theirs) for name in ours]
    if len(theirs) == len(ours) == 1 and found[0] is None:  # Face and face, or any two names
        text = "classes by another name in the teacher: %s is %s, the only class of both"
        log.info(text, ours[0], theirs[0])
        found = list(theirs)
    unknown = [name for name, own in zip(ours, found) if own is None]
    more = [name for name in theirs if name not in found]
    if unknown or more or len(set(found)) != len(found):
        only = [
            f"of which the teacher does not know {listed(unknown)}" if unknown else "",
            f"which does not have the teacher's {listed(more)}" if more else "",
        ]
        raise SettingError(
            f"{{teacher}} {teacher}: knows {counted(len(theirs), 'class')} ({listed(theirs)}), the data has "
            f"{len(ours)} ({listed(ours)}), {', and '.join(filter(None, only))}. They must be the same by "
            "name, in any order: train the teacher on this data"
        )
    return [list(theirs).index(str(own)) for own in found]


def _check_sizes(config: TrainConfig, spec: DetectionSpec) -> None:
    """Raise a SettingError if an input size of the training does not suit the teacher."""
    setting = "random_shapes" if config.random_shape else "data_shape"
    for size_hw in config.sizes_hw:
        if any(side % spec.max_stride for side in size_hw):
            size = "x".join(map(str, size_hw))
            raise SettingError(
                f"{{{setting}}} {size}: both sides must be multiples of {spec.max_stride} for the teacher, "
                f"{os.fspath(config.teacher or '')}"
            )
