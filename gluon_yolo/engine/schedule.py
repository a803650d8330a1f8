"""Schedule: the learning rate of every training step, from the step's number alone."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from typing import Any

from gluon_yolo.errors import UserError

MODES = ("step", "poly", "cosine")

_log = logging.getLogger("gluon_yolo")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Map a step's number to its learning rate: a linear warm-up, then steps, a polynomial or a half cosine.

    It holds no state, so a resumed run needs only its step. Its values are those of GluonCV's schedulers as
    GluonCV's YOLOv3 script composes them. That script's trainer counts the first update as 1, and so asks for
    ``schedule(1)`` first.

    Args:
        base_lr: the learning rate that the warm-up reaches and the decay starts from.
        total_epochs: epochs of the whole training, warm-up included.
        batches_per_epoch: steps in one epoch.
        mode: one of ``MODES``.
        decay: what the learning rate is multiplied by at each decay epoch (mode ``step``).
        decay_epochs: epochs, counted from the training's start, at whose first step it decays (``step``).
        decay_period: when above 0, decay every so many epochs in the place of ``decay_epochs``.
        warmup_epochs: epochs of linear warm-up.
        warmup_lr: the learning rate of the warm-up's first step.
        target_lr: the learning rate of the last step (modes ``poly`` and ``cosine``).
        power: exponent of mode ``poly``.

    Raises:
        UserError: when a setting cannot be meant so. What is only doubtful is logged as a warning.
    """

    base_lr: float
    total_epochs: int
    batches_per_epoch: int
    mode: str = "step"
    decay: float = 0.1
    decay_epochs: Sequence[int] = ()
    decay_period: int = 0
    warmup_epochs: int = 0
    warmup_lr: float = 0.0
    target_lr: float = 0.0
    power: float = 2.0

    def __post_init__(self) -> None:
        """Check the settings and settle the decay epochs."""
        for name in ("total_epochs", "batches_per_epoch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("base_lr", "decay", "power"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        for name in ("decay_period", "warmup_epochs", "warmup_lr", "target_lr"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if self.decay > 1:
            raise UserError(f"decay: expected at most 1 (it multiplies the learning rate), got {self.decay}")
        if self.mode not in MODES:
            raise UserError(f"mode: expected one of {', '.join(MODES)}, got {self.mode!r}")
        epochs = tuple(int(epoch) for epoch in self.decay_epochs)
        if any(epoch < 0 for epoch in epochs):
            raise UserError(f"decay_epochs: expected epochs of 0 or more, got {list(epochs)}")
        if self.decay_period:
            epochs = tuple(range(self.decay_period, self.total_epochs, self.decay_period))
        object.__setattr__(self, "decay_epochs", epochs)
        self._warn()

    def _warn(self) -> None:
        """Log what is legal and yet unlikely to be meant."""
        late = [epoch for epoch in self.decay_epochs if epoch >= self.total_epochs]
        if late and self.mode == "step":
            _log.warning("learning rate: no decay at epoch %s: training ends after %d epochs",
                         ", ".join(map(str, late)), self.total_epochs)  # fmt: skip
        if self.warmup_epochs >= self.total_epochs:
            _log.warning("learning rate: %d epochs of warm-up fill all %d epochs of training",
                         self.warmup_epochs, self.total_epochs)  # fmt: skip

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up."""
        return self.warmup_epochs * self.batches_per_epoch

    @property
    def total_steps(self) -> int:
        """Steps of the whole training; a later step keeps the last one's learning rate."""
        return max(self.total_epochs, self.warmup_epochs) * self.batches_per_epoch

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from the training's start and not from a resume."""
        step = min(max(0, step), self.total_steps - 1)
        if step < self.warmup_steps:
            left = 1 - _part(step, self.warmup_steps)
            return self.base_lr + (self.warmup_lr - self.base_lr) * left
        step -= self.warmup_steps
        if self.mode == "step":
            return self.base_lr * self.decay ** self._decays(step)
        part = _part(step, self.total_steps - self.warmup_steps)
        left = (1 - part) ** self.power if self.mode == "poly" else (1 + math.cos(math.pi * part)) / 2
        return self.target_lr + (self.base_lr - self.target_lr) * left

    def _decays(self, step: int) -> int:
        """Count the decay epochs that have begun at a step counted from the warm-up's end."""
        begun = self.warmup_epochs + step // self.batches_per_epoch
        return sum(epoch <= begun for epoch in self.decay_epochs)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain numbers, fit for JSON: ``Schedule(**record)`` rebuilds it."""
        return {**dataclasses.asdict(self), "decay_epochs": list(self.decay_epochs)}


def _part(step: int, steps: int) -> float:
    """Return how much of a stretch lies behind a step: 0 at its first, 1 at its last."""
    return step / (steps - 1) if steps > 1 else 0.0
