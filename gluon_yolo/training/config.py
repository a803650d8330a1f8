"""TrainConfig: all that a training is asked for, as plain values."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence

from gluon_yolo.data.loading import loader
from gluon_yolo.data.transforms import augmentation, keeps_shape
from gluon_yolo.errors import UserError
from gluon_yolo.nms import USUAL_DETECTIONS
from gluon_yolo.spec import BOX_LOSSES, Anchors
from gluon_yolo.text import size_word
from gluon_yolo.training.lr_schedule import MODES, Schedule

RANDOM_SHAPES = tuple((side, side) for side in range(320, 609, 32))
BACKBONE_WEIGHTS = ("auto", "yes", "no")
WORKER_TYPES = ("auto", *loader.WORKER_TYPES)
VAL_METRICS = ("auto", "fitness", "voc07", "voc", "coco")
MOST_THREADS = 4  # Python's lock lets few work side by side: two give 1.65 times one

# Smallest legal values; infinity and what is not a number are illegal everywhere.
_AT_LEAST = {
    **dict.fromkeys(("epochs", "batch_size", "log_interval", "val_interval", "shape_interval"), 1),
    **dict.fromkeys(("start_epoch", "seed", "num_workers", "save_interval", "no_mixup_epochs"), 0),
    **dict.fromkeys(("warmup_epochs", "warmup_lr", "lr_decay_period", "momentum", "wd"), 0),
    **dict.fromkeys(("target_lr", "cosine_epochs", "profile"), 0),
    "num_samples": -1,
    "max_detections": 1,
}
_ABOVE_0 = ("lr", "lr_power", "warmup_power", "loss_scale")
_CHOICES = {"worker_type": WORKER_TYPES, "box_loss": BOX_LOSSES, "val_metric": VAL_METRICS, "lr_mode": MODES}
_CONTRADICTIONS = (("syncbn", "freeze_bn"), ("weights", "pretrained"))
# What has a meaning in some modes of the learning rate only.
_OF_MODES = {"cosine_epochs": ("cosine",), "target_lr": ("poly", "cosine")}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """What a run is asked for; the names are those of the command line's flags.

    Args:
        network: the zoo's full name, or the stem of a cfg's.
        epochs: of the whole training, warm-up included.
        batch_size: over all devices.
        data_shape: height and width of the input, and of validation.
        random_shape: train at sizes drawn from ``random_shapes`` instead.
        random_shapes: heights and widths to draw from.
        shape_interval: batches of one drawn size in a row.
        anchors: of each level, ascending stride, (width, height) in pixels of the input; None takes the
            network's own.
        lr: learning rate after the warm-up.
        lr_mode: one of :data:`gluon_yolo.training.lr_schedule.MODES`; this and what follows up to the
        warm-up is
            told there.
        lr_decay: factor at each decay epoch, or one for each of them, or that of an epoch (``exponential``).
        lr_decay_epoch: epochs at which it decays.
        lr_decay_period: decay every so many epochs instead, when above 0.
        lr_power: exponent of ``poly``.
        target_lr: where ``poly`` and ``cosine`` end.
        cosine_epochs: epoch at which ``cosine`` ends, when above 0, else the last.
        warmup_epochs: epochs of warm-up.
        warmup_lr: where the warm-up starts.
        warmup_power: exponent of the warm-up; 1 is a straight line.
        momentum: of stochastic gradient descent.
        wd: weight decay.
        no_wd: spare biases and batch normalisation from it.
        syncbn: normalise over the batch of all devices.
        freeze_bn: keep batch normalisation as loaded.
        mixup: mix pairs of images.
        no_mixup_epochs: at the end of training.
        box_loss: of the boxes: ``yolo3`` (centre and size apart), ``giou``, ``diou``, ``ciou``, or ``auto``,
            which takes the network's own.
        loss_scale: the losses are multiplied by it before the backward pass, and the gradients divided.
        label_smooth: soften class targets.
        label_smooth_factor: by how much; None is GluonCV's.
        augment: as :func:`gluon_yolo.data.transforms.augmentation` reads it.
        pretrained: start from GluonCV's published weights of the whole detector.
        pretrained_base: start the backbone from GluonCV's ImageNet weights: ``yes``, ``no``, or ``auto``,
            which goes on without them, and says so, where they can be neither found nor downloaded; or from
            this file.
        weights: start from this file or run, as far as it fits.
        freeze: what is not trained, as :func:`gluon_yolo.training.freeze.freeze` takes it, commas between.
        start_epoch: first epoch to train.
        num_samples: images per epoch; all when 0 or -1.
        num_workers: threads or processes that prepare images.
        worker_type: ``thread``, ``process``, or ``auto``: processes where there are more than four of them.
        seed: of everything random.
        log_interval: batches between log lines.
        val_interval: epochs between validations; the last epoch is always validated.
        val_metric: what decides which epoch is best, as :func:`gluon_yolo.evaluation.fitness.score` takes it.
        max_detections: of an image in validation, at most; the model's record keeps it.
        save_interval: epochs between kept snapshots; 0 keeps none.
        profile: steps of the first epoch to record (:mod:`gluon_yolo.training.callbacks.profiler`).

    Raises:
        UserError: for a value that cannot be meant so.
    """

    network: str
    epochs: int = 200
    batch_size: int = 64
    data_shape: tuple[int, int] = (416, 416)
    random_shape: bool = True
    random_shapes: tuple[tuple[int, int], ...] = RANDOM_SHAPES
    shape_interval: int = 10
    anchors: Anchors | None = None
    lr: float = 0.001
    lr_mode: str = "step"
    lr_decay: float | Sequence[float] = 0.1
    lr_decay_epoch: tuple[float, ...] = (160, 180)
    lr_decay_period: float = 0
    lr_power: float = 2.0
    target_lr: float = 0.0
    cosine_epochs: int = 0
    warmup_epochs: float = 0
    warmup_lr: float = 0.0
    warmup_power: float = 1.0
    momentum: float = 0.9
    wd: float = 0.0005
    no_wd: bool = False
    syncbn: bool = False
    freeze_bn: bool = False
    mixup: bool = False
    no_mixup_epochs: int = 20
    box_loss: str = "auto"
    loss_scale: float = 1.0
    label_smooth: bool = False
    label_smooth_factor: float | None = None
    augment: str = "yolo3"
    pretrained: bool = False
    pretrained_base: str = "auto"
    weights: str | None = None
    freeze: str | None = None
    start_epoch: int = 0
    num_samples: int = 0
    num_workers: int = 2
    worker_type: str = "auto"
    seed: int = 233
    log_interval: int = 100
    val_interval: int = 1
    val_metric: str = "auto"
    max_detections: int = USUAL_DETECTIONS
    save_interval: int = 10
    profile: int = 0

    def __post_init__(self) -> None:
        """Check every value."""
        for name, least in _AT_LEAST.items():
            self._require(name, least <= getattr(self, name) < math.inf, f"must be {least} or more")
        for name in _ABOVE_0:
            self._require(name, 0 < getattr(self, name) < math.inf, "must be above 0")
        for name, choices in _CHOICES.items():
            self._require(name, getattr(self, name) in choices, f"choose from {', '.join(choices)}")
        self._require("momentum", self.momentum < 1, "must be below 1")
        self._check_learning()
        # A file is named with its whole path.
        known = self.pretrained_base in BACKBONE_WEIGHTS or os.path.isabs(self.pretrained_base)
        self._require("pretrained_base", known, f"choose from {', '.join(BACKBONE_WEIGHTS)}, or name a file")
        last = self.epochs - 1
        self._require("start_epoch", self.start_epoch <= last, f"training ends with epoch {last}")
        self._check_size("--data-shape", self.data_shape)
        for size_hw in self.random_shapes:
            self._check_size("--random-shapes", size_hw)
        self._require("random_shapes", bool(self.random_shapes), "needs at least one size")
        for one, other in _CONTRADICTIONS:
            if getattr(self, one) and getattr(self, other):
                raise UserError(f"{_flag(one)} and {_flag(other)} exclude each other: give one of them")
        augmentation(self.augment)  # raises for an unknown name

    def _require(self, name: str, fulfilled: bool, rule: str) -> None:
        if not fulfilled:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                rule = f"{rule}, and finite"
            raise UserError(f"{_flag(name)} {value}: {rule}")

    def _check_size(self, flag: str, size_hw: tuple[int, int]) -> None:
        if any(side < 1 for side in size_hw):
            raise UserError(f"{flag} {'x'.join(map(str, size_hw))}: both sides must be 1 or more")

    def _check_learning(self) -> None:
        """Check the factors, what belongs to one mode only, and the strength of the smoothing."""
        if isinstance(self.lr_decay, Sequence):
            object.__setattr__(self, "lr_decay", tuple(self.lr_decay))
            self._require("lr_decay", all(0 < x < math.inf for x in self.lr_decay), "must be above 0")
            wanted = {"step": len(self.lr_decay_epoch), "exponential": 1}.get(self.lr_mode)
            rule = "as many as --lr-decay-epoch has, for --lr-mode step; or one"
            self._require("lr_decay", wanted in (None, len(self.lr_decay)), rule)
        else:
            self._require("lr_decay", 0 < self.lr_decay <= 1, "must be above 0 and at most 1")
        for name, modes in _OF_MODES.items():
            needed = f"needs --lr-mode {' or '.join(modes)}"
            self._require(name, not getattr(self, name) or self.lr_mode in modes, needed)
        self._require("freeze", self.freeze is None or bool(self.frozen), "names nothing")
        if self.label_smooth_factor is not None:
            self._require("label_smooth_factor", self.label_smooth, "needs --label-smooth")
            within = 0 < self.label_smooth_factor < 0.5
            self._require("label_smooth_factor", within, "must be above 0 and below 0.5")

    @property
    def loader_worker_type(self) -> str:
        """Return what prepares images: ``thread`` or ``process``."""
        if self.worker_type == "auto":
            return "thread" if self.num_workers <= MOST_THREADS else "process"
        return self.worker_type

    @property
    def fit(self) -> str:
        """Return how images are brought to the input's size after training: as in training."""
        return "letterbox" if keeps_shape(augmentation(self.augment)) else "resize"

    @property
    def sizes_hw(self) -> list[tuple[int, int]]:
        """Return the sizes that training batches are drawn in."""
        return list(self.random_shapes) if self.random_shape else [self.data_shape]

    @property
    def frozen(self) -> tuple[str, ...]:
        """Return what :func:`gluon_yolo.training.freeze.freeze` is to freeze."""
        return tuple(word.strip() for word in (self.freeze or "").split(",") if word.strip())

    def smoothing(self, num_classes: int) -> float:
        """Return by how much class targets of C classes are softened: where not said, GluonCV's choice."""
        usual = min(1 / num_classes, 1 / 40) if self.label_smooth else 0.0
        return usual if self.label_smooth_factor is None else self.label_smooth_factor

    def batches(self, available: int) -> int:
        """Return the batches of an epoch, of so many that the data offers."""
        if self.num_samples <= 0:
            return available
        return min(available, max(1, self.num_samples // self.batch_size))

    def mixup_in(self, epoch: int) -> bool:
        """Say whether an epoch mixes images."""
        return self.mixup and epoch < self.epochs - self.no_mixup_epochs

    def schedule(self, batches_per_epoch: int) -> Schedule:
        """Return the learning rates that are asked for."""
        return Schedule(
            base_lr=self.lr,
            total_epochs=self.epochs,
            batches_per_epoch=batches_per_epoch,
            mode=self.lr_mode,
            decay=self.lr_decay,
            decay_epochs=self.lr_decay_epoch,
            decay_period=self.lr_decay_period,
            warmup_epochs=self.warmup_epochs,
            warmup_lr=self.warmup_lr,
            target_lr=self.target_lr,
            power=self.lr_power,
            warmup_power=self.warmup_power,
            cosine_epochs=self.cosine_epochs,
        )


def one_size(size_hw: Sequence[int], random_shape: bool) -> str:
    """Return the flags that train at one size only, to be added to those of a training.

    Args:
        size_hw: height and width.
        random_shape: whether the training draws sizes; ``--no-random-shape`` would exclude the flags that may
            have given them.
    """
    word = size_word(size_hw)
    return f"--data-shape {word}{f' --random-shapes {word}' if random_shape else ''}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
