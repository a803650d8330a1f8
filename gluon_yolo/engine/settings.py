"""TrainSettings: all that a training is asked for, as plain values."""

from __future__ import annotations

import dataclasses
import math

from gluon_yolo.data import loader
from gluon_yolo.data.transforms import augmentation, keeps_shape
from gluon_yolo.engine.schedule import Schedule
from gluon_yolo.errors import UserError
from gluon_yolo.spec import Anchors

STRIDE = 32
RANDOM_SHAPES = tuple((side, side) for side in range(320, 609, 32))
BACKBONE_WEIGHTS = ("auto", "yes", "no")
WORKER_TYPES = ("auto", *loader.WORKER_TYPES)
MOST_THREADS = 4  # Python's lock lets few work side by side: two give 1.65 times one

# Smallest legal values; infinity and what is not a number are illegal everywhere.
_AT_LEAST = {
    **dict.fromkeys(("epochs", "batch_size", "log_interval", "val_interval", "shape_interval"), 1),
    **dict.fromkeys(("start_epoch", "seed", "num_workers", "save_interval", "no_mixup_epochs"), 0),
    **dict.fromkeys(("warmup_epochs", "warmup_lr", "lr_decay_period", "momentum", "wd"), 0),
    "num_samples": -1,
}
_CONTRADICTIONS = (("syncbn", "freeze_bn"), ("weights", "pretrained"))


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What a run is asked for; the names are those of the command line's flags.

    Args:
        network: the zoo's full name.
        epochs: of the whole training, warm-up included.
        batch_size: over all devices.
        data_shape: height and width of the input, and of validation.
        random_shape: train at sizes drawn from ``random_shapes`` instead.
        random_shapes: heights and widths to draw from.
        shape_interval: batches of one drawn size in a row.
        anchors: of each level, ascending stride, (width, height) in pixels of the input; None takes the
            network's own.
        lr: learning rate after the warm-up.
        lr_mode: ``step``, ``poly`` or ``cosine``.
        lr_decay: factor at each decay epoch.
        lr_decay_epoch: epochs at which it decays.
        lr_decay_period: decay every so many epochs instead, when above 0.
        warmup_epochs: epochs of linear warm-up.
        warmup_lr: where the warm-up starts.
        momentum: of stochastic gradient descent.
        wd: weight decay.
        no_wd: spare biases and batch normalisation from it.
        syncbn: normalise over the batch of all devices.
        freeze_bn: keep batch normalisation as loaded.
        mixup: mix pairs of pictures.
        no_mixup_epochs: at the end of training.
        label_smooth: soften class targets.
        augment: as :func:`gluon_yolo.data.transforms.augmentation` reads it.
        pretrained: start from GluonCV's published weights of the whole detector.
        pretrained_base: start the backbone from GluonCV's ImageNet weights: ``yes``, ``no``, or ``auto``,
            which goes on without them, and says so, where they can be neither found nor downloaded.
        weights: start from this file or run, as far as it fits.
        start_epoch: first epoch to train.
        num_samples: pictures per epoch; all when 0 or -1.
        num_workers: threads or processes that prepare pictures.
        worker_type: ``thread``, ``process``, or ``auto``: processes where there are more than four of them.
        seed: of everything random.
        log_interval: batches between log lines.
        val_interval: epochs between validations; the last epoch is always validated.
        save_interval: epochs between kept snapshots; 0 keeps none.

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
    lr_decay: float = 0.1
    lr_decay_epoch: tuple[int, ...] = (160, 180)
    lr_decay_period: int = 0
    warmup_epochs: int = 0
    warmup_lr: float = 0.0
    momentum: float = 0.9
    wd: float = 0.0005
    no_wd: bool = False
    syncbn: bool = False
    freeze_bn: bool = False
    mixup: bool = False
    no_mixup_epochs: int = 20
    label_smooth: bool = False
    augment: str = "yolo3"
    pretrained: bool = False
    pretrained_base: str = "auto"
    weights: str | None = None
    start_epoch: int = 0
    num_samples: int = 0
    num_workers: int = 2
    worker_type: str = "auto"
    seed: int = 233
    log_interval: int = 100
    val_interval: int = 1
    save_interval: int = 10

    def __post_init__(self) -> None:
        """Check every value."""
        for name, least in _AT_LEAST.items():
            self._require(name, least <= getattr(self, name) < math.inf, f"must be {least} or more")
        self._require("lr", 0 < self.lr < math.inf, "must be above 0")
        self._require("lr_decay", 0 < self.lr_decay <= 1, "must be above 0 and at most 1")
        self._require("momentum", self.momentum < 1, "must be below 1")
        choices = ", ".join(BACKBONE_WEIGHTS)
        self._require("pretrained_base", self.pretrained_base in BACKBONE_WEIGHTS, f"choose from {choices}")
        last = self.epochs - 1
        self._require("start_epoch", self.start_epoch <= last, f"training ends with epoch {last}")
        self._check_size("--data-shape", self.data_shape)
        for size_hw in self.random_shapes:
            self._check_size("--random-shapes", size_hw)
        self._require("random_shapes", bool(self.random_shapes), "needs at least one size")
        self._require(
            "worker_type", self.worker_type in WORKER_TYPES, f"choose from {', '.join(WORKER_TYPES)}"
        )
        for one, other in _CONTRADICTIONS:
            if getattr(self, one) and getattr(self, other):
                raise UserError(f"{_flag(one)} and {_flag(other)} exclude each other: give one of them")
        augmentation(self.augment)  # raises for an unknown name

    def _require(self, name: str, fulfilled: bool, rule: str) -> None:
        if not fulfilled:
            raise UserError(f"{_flag(name)} {getattr(self, name)}: {rule}")

    def _check_size(self, flag: str, size_hw: tuple[int, int]) -> None:
        if any(side < STRIDE or side % STRIDE for side in size_hw):
            shape = "x".join(map(str, size_hw))
            raise UserError(f"{flag} {shape}: both sides must be multiples of {STRIDE}")

    @property
    def loader_worker_type(self) -> str:
        """Return what prepares pictures: ``thread`` or ``process``."""
        if self.worker_type == "auto":
            return "thread" if self.num_workers <= MOST_THREADS else "process"
        return self.worker_type

    @property
    def fit(self) -> str:
        """Return how pictures are brought to the input's size after training: as in training."""
        return "letterbox" if keeps_shape(augmentation(self.augment)) else "resize"

    @property
    def sizes_hw(self) -> list[tuple[int, int]]:
        """Return the sizes that training batches are drawn in."""
        return list(self.random_shapes) if self.random_shape else [self.data_shape]

    def batches(self, available: int) -> int:
        """Return the batches of an epoch, of so many that the data offers."""
        if self.num_samples <= 0:
            return available
        return min(available, max(1, self.num_samples // self.batch_size))

    def mixup_in(self, epoch: int) -> bool:
        """Say whether an epoch mixes pictures."""
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
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
