"""Architectures: a network is built by its name in the zoo, by a darknet cfg, or by a model's folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.errors import SettingError, SettingText, UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.darknet.cfg import Cfg, read_cfg
from gluon_yolo.models.darknet.detection_spec import make_spec
from gluon_yolo.models.darknet.edit import with_heads
from gluon_yolo.models.darknet.flag_keys import place_of
from gluon_yolo.models.darknet.network import CFG, DarknetNetwork
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.models.darknet.training_flags import doubts, run_flags
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.spec import Anchors, BackboneForm, DetectionSpec
from gluon_yolo.text import exact, rounded

log = logging.getLogger("gluon_yolo")


class Architecture:
    """A network of the zoo, not yet built.

    Args:
        name: as :func:`gluon_yolo.models.zoo.canonical` returns it.

    Attributes:
        name: of the network.
        spec: the default spec; its class names are placeholders.
        size_hw: default height and width of the input in pixels.
        fit: how an image is resized to that size, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
    """

    name: str
    spec: DetectionSpec
    size_hw: tuple[int, int]
    fit = "resize"

    def __init__(self, name: str) -> None:
        self.name = name
        self.spec, self.size_hw = zoo.entry(name).spec, zoo.entry(name).size_hw

    def build(
        self,
        class_names: Sequence[str] | None = None,
        anchors: Anchors | None = None,
        norm: str = "bn",
        num_devices: int = 1,
        form: BackboneForm | None = None,
        xy_scales: Sequence[float] | None = None,
    ) -> DetectionNetwork:
        """Build the network; its weights are not initialized.

        Args:
            class_names: of the data; None takes the network's own.
            anchors: per level (width, height) in input pixels; None takes the network's own.
            norm: ``bn``, ``sync`` or ``frozen`` (:func:`gluon_yolo.models.layers.make_norm`).
            num_devices: devices that share ``sync`` statistics.
            form: of the backbone; None is the architecture's own, and the only one of a cfg.
            xy_scales: per level the range of a centre in cells; None takes the network's own.

        Raises:
            UserError: the network has no class names of its own and none are given, or the anchors do not
                suit it.
        """
        return zoo.build(self.name, class_names, anchors, norm, num_devices, form, xy_scales)

    def rebuild(self, spec: DetectionSpec, class_names: Sequence[str] | None = None) -> DetectionNetwork:
        """Build the network of a spec that :meth:`build` gave; its weights are not initialized.

        Args:
            spec: of the network.
            class_names: other ones than the spec's.
        """
        names = class_names or spec.class_names
        return self.build(names, spec.anchors, form=spec.backbone, xy_scales=spec.xy_scales)

    def training_flags(self, images: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the architecture's own defaults of training, as flags of ``train``.

        Args:
            images: number of training images.
            given: flags that are set already.
        """
        flags = dict(zoo.entry(self.name).flags)
        if given.get("lr_mode", "step") != "step":
            flags.pop("lr_decay_epoch", None)
        if "epochs" in flags and "epochs" in given:  # decays and warm-up keep their share of the training
            part = given["epochs"] / flags["epochs"]
            flags["warmup_epochs"] = rounded(flags["warmup_epochs"] * part, 2)
            if "lr_decay_epoch" in flags:
                decays = (rounded(float(epoch) * part, 2) for epoch in flags["lr_decay_epoch"].split(","))
                flags["lr_decay_epoch"] = ",".join(map(exact, decays))
        return flags

    def doubts(self, images: int, given: Mapping[str, Any]) -> list[str]:
        """Return warnings about :meth:`training_flags` with this data; the arguments are the same."""
        return []

    def place_of(self, flag: str) -> str:
        """Return the source of a flag of :meth:`training_flags`, as the beginning of a message."""
        return self.name


class CfgArchitecture(Architecture):
    """The network of a darknet cfg.

    Args:
        cfg: its content.
        name: of the network; None takes the cfg file's name.

    Raises:
        UserError: the cfg is invalid.
    """

    def __init__(self, cfg: Cfg, name: str | None = None) -> None:
        self.plan = make_plan(cfg)
        self.name = name or Path(cfg.path).stem
        self.spec = make_spec(self.plan)
        self.size_hw = (self.plan.image.height, self.plan.image.width)
        self.fit = "letterbox" if self.plan.letterbox else "resize"

    def build(
        self,
        class_names: Sequence[str] | None = None,
        anchors: Anchors | None = None,
        norm: str = "bn",
        num_devices: int = 1,
        form: BackboneForm | None = None,
        xy_scales: Sequence[float] | None = None,
    ) -> DetectionNetwork:
        """Build the network as the base class does; default class names are ``class 0``, ``class 1``, ..."""
        plan = self.plan
        count = self.spec.num_classes if class_names is None else len(class_names)
        other_anchors = anchors if anchors and anchors != self.spec.anchors else None
        other_scales = None if xy_scales is None or tuple(xy_scales) == self.spec.xy_scales else xy_scales
        if count != self.spec.num_classes or other_anchors or other_scales:
            plan = make_plan(with_heads(plan.cfg, count, other_anchors, other_scales))
        spec = make_spec(plan, class_names)
        return DarknetNetwork(self.name, plan, spec, norm, num_devices, weights_plan=self.plan)

    def training_flags(self, images: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the training keys of ``[net]`` and the heads as flags of ``train``."""
        flags, notes = run_flags(self.plan, images, given)
        for note in notes:
            log.info("%s: %s", Path(self.plan.cfg.path).name, note)
        height, width = self.size_hw
        return {"data_shape": str(height) if height == width else f"{height}x{width}", **flags}

    def doubts(self, images: int, given: Mapping[str, Any]) -> list[str]:
        """Return warnings about the cfg's training with this data."""
        return doubts(self.plan, images, given)

    def place_of(self, flag: str) -> str:
        """Return file, line and key of the cfg that a flag comes from."""
        return place_of(self.plan, flag)


def find_architecture(network: str, folder: Path | None = None, datasets: Sequence[str] = ()) -> Architecture:
    """Return the architecture that a name stands for.

    Args:
        network: a name of the zoo in any spelling, the path of a darknet cfg or of a model's folder that has
            one, or the name of a network whose cfg lies in ``folder``.
        folder: of a model, whose record gives ``network``: then it is a name, and no path is followed.
        datasets: ending for a zoo name without one: ``voc`` or ``coco``.

    Raises:
        UserError: no architecture has this name, or its cfg is invalid.
    """
    if folder is not None and (folder / CFG).is_file():
        return CfgArchitecture(read_cfg(folder / CFG), network)
    if folder is None:
        path = Path(network).expanduser()
        path = path / CFG if (path / CFG).is_file() else path
        if path.suffix == ".cfg" or os.sep in network:
            return CfgArchitecture(read_cfg(path), path.resolve().parent.name if path.name == CFG else None)
    try:
        return Architecture(zoo.canonical(network, *datasets))
    except UserError as error:
        if folder is None:
            raise
        missing = f"{folder / CFG}: no such file, and the zoo has no network of the model's name either"
        raise UserError(f"{missing}: {error}") from error


def with_spp(architecture: Architecture) -> Architecture:
    """Return a network of the zoo with an SPP in its neck.

    Raises:
        SettingError: its neck takes none, or a cfg describes the network.
    """
    if isinstance(architecture, CfgArchitecture):
        raise SettingError(f"{{spp}}: {architecture.name} is described by a cfg: write the layers into that")
    return Architecture(zoo.with_spp(architecture.name))


def check_own_classes(network: str) -> None:
    """Demand that a network that is given without class names has its own; warn where a cfg numbers them.

    Args:
        network: as :func:`find_architecture` takes it, without a folder.

    Raises:
        SettingError: it has none.
    """
    if network.endswith(".cfg"):
        log.warning(
            SettingText(
                "a cfg names no classes, so they are called class 0, class 1, ...; name them: {classes} FILE"
            )
        )
    elif zoo.canonical(network).endswith("_custom"):
        raise SettingError(f"{network}: has no classes of its own; name them with {{classes}} FILE")
