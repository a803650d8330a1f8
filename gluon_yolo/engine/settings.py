"""TrainSettings: all that a training is asked for, as plain values, and the recipes that choose them well."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Tuple

from gluon_yolo.errors import UserError

STRIDE = 32
RANDOM_SHAPES = tuple(range(320, 609, 32))
BACKBONE_WEIGHTS = ("auto", "yes", "no")


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What a run is asked for; the names are those of the command line's flags.

    Args:
        network: the zoo's full name.
        epochs: of the whole training, warm-up included.
        batch_size: over all devices.
        data_shape: height and width of the input, and of validation.
        random_shape: draw 320..608 in steps of 32 instead, a new one every 10 batches.
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
        augment: name of a preset of :mod:`gluon_yolo.data.transforms`.
        pretrained: start from GluonCV's published weights of the whole detector.
        pretrained_base: start the backbone from GluonCV's ImageNet weights: ``yes``, ``no``, or ``auto``, which goes
            on without them, and says so, where they can be neither found nor downloaded.
        weights: start from this file or run, as far as it fits.
        start_epoch: first epoch to train.
        num_samples: pictures per epoch; all when 0.
        num_workers: threads that prepare pictures.
        seed: of everything random.
        log_interval: batches between log lines.
        val_interval: epochs between validations.
        save_interval: epochs between kept snapshots; 0 keeps none.
    """

    network: str
    epochs: int = 200
    batch_size: int = 64
    data_shape: Tuple[int, int] = (416, 416)
    random_shape: bool = True
    lr: float = 0.001
    lr_mode: str = "step"
    lr_decay: float = 0.1
    lr_decay_epoch: Tuple[int, ...] = (160, 180)
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
    weights: Optional[str] = None
    start_epoch: int = 0
    num_samples: int = 0
    num_workers: int = 2
    seed: int = 233
    log_interval: int = 100
    val_interval: int = 1
    save_interval: int = 10

    def __post_init__(self) -> None:
        """Freeze lists that came from JSON, and check what only training can."""
        object.__setattr__(self, "data_shape", tuple(self.data_shape))
        object.__setattr__(self, "lr_decay_epoch", tuple(self.lr_decay_epoch))
        if any(side < STRIDE or side % STRIDE for side in self.data_shape):
            raise UserError(f"--data-shape {_shape(self.data_shape)}: both sides must be multiples of {STRIDE}")
        at_least = dict(epochs=1, batch_size=1, num_workers=0, num_samples=0, start_epoch=0, seed=0)
        at_least.update(log_interval=1, val_interval=1, save_interval=0, momentum=0, wd=0, no_mixup_epochs=0)
        for name, least in at_least.items():
            if not getattr(self, name) >= least:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be {least} or more")
        if self.start_epoch >= self.epochs:
            raise UserError(f"--start-epoch {self.start_epoch}: training ends after epoch {self.epochs - 1}")
        if self.pretrained_base not in BACKBONE_WEIGHTS:
            raise UserError(f"--pretrained-base {self.pretrained_base}: choose from {', '.join(BACKBONE_WEIGHTS)}")

    @property
    def sizes_hw(self) -> List[Tuple[int, int]]:
        """Return the sizes that training batches are drawn in."""
        return [(side, side) for side in RANDOM_SHAPES] if self.random_shape else [self.data_shape]

    def to_dict(self) -> Dict[str, Any]:
        """Return plain values, fit for JSON; ``TrainSettings(**record)`` rebuilds it."""
        return dataclasses.asdict(self)


def _shape(size_hw: Tuple[int, ...]) -> str:
    return "x".join(str(side) for side in size_hw)
