"""Schedule: the learning rate of a training step, computed from its number alone."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from typing import Any

from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

MODES = ("step", "poly", "cosine", "exponential", "constant")

NEGLIGIBLE = 1e-6  # a share of the learning rate at which training has no effect

_log = logging.getLogger("gluon_yolo")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Maps the number of a step to its learning rate: a warm-up, then one of ``MODES``.

    It has no state, so a resumed run needs only its step. For ``step``, ``poly`` and ``cosine`` the values
    are those of GluonCV's schedulers in GluonCV's YOLOv3 script. The trainer of that script counts the first
    update as 1, so its first learning rate is ``schedule(1)``.

    With ``cosine_epochs``, ``cosine`` is the schedule of PyTorch's CosineAnnealingLR and of MindSpore's
    YOLOv3: it counts whole epochs from the start of the training, warm-up included, changes once an epoch,
        and reaches
    ``target_lr`` at epoch ``cosine_epochs``. After that it stays there. PyTorch's would rise again;
    MindSpore's script never reaches that point, because it raises T_max to the number of epochs.

    Args:
        base_lr: the learning rate at the end of the warm-up, where the decay starts.
        total_epochs: epochs of the whole training, warm-up included.
        batches_per_epoch: steps of an epoch.
        mode: one of ``MODES``.
        decay: factor of the learning rate. In mode ``step``: at each decay epoch, one factor for all or one
            for each. In mode ``exponential``: of an epoch, spread evenly over its steps.
        decay_epochs: mode ``step``: the epochs, from the start of the training, at whose first step it
            decays. They may be fractions.
        decay_period: when above 0, the number of epochs between decays, instead of ``decay_epochs``.
        warmup_epochs: epochs of warm-up; may be a fraction.
        warmup_lr: the learning rate of the first step of the warm-up.
        target_lr: modes ``poly`` and ``cosine``: the learning rate of the last step.
        power: mode ``poly``: the exponent.
        warmup_power: the exponent of the warm-up: 1 is linear, 4 is darknet's.
        cosine_epochs: when above 0, the epoch at which mode ``cosine`` reaches ``target_lr``.

    Raises:
        UserError: a setting is invalid. A doubtful one is logged as a warning.
    """

    base_lr: float
    total_epochs: int
    batches_per_epoch: int
    mode: str = "step"
    decay: float | Sequence[float] = 0.1
    decay_epochs: Sequence[float] = ()
    decay_period: float = 0
    warmup_epochs: float = 0
    warmup_lr: float = 0.0
    target_lr: float = 0.0
    power: float = 2.0
    warmup_power: float = 1.0
    cosine_epochs: int = 0

    def __post_init__(self) -> None:
        """Check the settings and compute the decay epochs."""
        for name in ("total_epochs", "batches_per_epoch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("base_lr", "power", "warmup_power"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        for name in ("decay_period", "warmup_epochs", "warmup_lr", "target_lr", "cosine_epochs"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if self.mode not in MODES:
            raise UserError(f"mode: expected one of {', '.join(MODES)}, got {self.mode!r}")
        epochs = tuple(int(epoch) if epoch == int(epoch) else float(epoch) for epoch in self.decay_epochs)
        if any(epoch < 0 for epoch in epochs):
            raise UserError(f"decay_epochs: expected epochs of 0 or more, got {list(epochs)}")
        if self.decay_period:
            count = math.ceil(self.total_epochs / self.decay_period)
            epochs = tuple(self.decay_period * number for number in range(1, count))
        object.__setattr__(self, "decay_epochs", epochs)
        self._settle_decay()
        self._warn()

    def _settle_decay(self) -> None:
        """Check the factors. Some of several may be above 1, as in darknet's slow start."""
        factors = _factors(self.decay)
        if not all(0 < factor < math.inf for factor in factors):
            raise UserError(f"decay: expected numbers above 0, got {self.decay}")
        if len(factors) == 1:
            object.__setattr__(self, "decay", factors[0])
            if factors[0] > 1:
                raise UserError(
                    f"decay: expected at most 1 (it multiplies the learning rate), got {self.decay}"
                )
            return
        object.__setattr__(self, "decay", factors)
        needed = {"step": len(self.decay_epochs), "exponential": 1}.get(self.mode, len(factors))
        if len(factors) != needed:
            raise UserError(f"decay: expected 1 factor or {needed}, got {len(factors)}")

    def _warn(self) -> None:
        """Log a warning for settings that are valid but probably not intended."""
        late = [epoch for epoch in self.decay_epochs if epoch >= self.total_epochs]
        if late and self.mode == "step":
            _log.warning("learning rate: no decay at epoch %s: training ends after %s",
                         ", ".join(map(str, late)), counted(self.total_epochs, "epoch"))  # fmt: skip
        if self.warmup_epochs >= self.total_epochs:
            warm = counted(self.warmup_epochs, "epoch", form="g")
            _log.warning("learning rate: the warm-up of %s is not over before the training of %s ends",
                         warm, counted(self.total_epochs, "epoch"))  # fmt: skip
        if self.mode == "cosine" and 0 < self.cosine_epochs < self.total_epochs:
            _log.warning("learning rate: the cosine ends at epoch %d of %d; from there it stays at %g",
                         self.cosine_epochs, self.total_epochs, self.target_lr)  # fmt: skip
        last = self(self.total_steps - 1) / self.base_lr if self.mode == "exponential" else 1
        if last < NEGLIGIBLE:
            _log.warning("learning rate: a factor of %g an epoch leaves %.2g of it after %s",
                         self.decay, last, counted(self.total_epochs, "epoch"))  # fmt: skip

    @property
    def warmup_steps(self) -> int:
        """The number of steps of the warm-up."""
        return round(self.warmup_epochs * self.batches_per_epoch)

    @property
    def total_steps(self) -> int:
        """The number of steps of the training; a later step has the last one's learning rate."""
        return max(self.total_epochs * self.batches_per_epoch, self.warmup_steps)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from the start of the training, not of a resume."""
        step = min(max(0, step), self.total_steps - 1)
        if step < self.warmup_steps:
            left = 1 - _part(step, self.warmup_steps) ** self.warmup_power
            return self.base_lr + (self.warmup_lr - self.base_lr) * left
        since = step - self.warmup_steps
        if self.mode == "constant":
            return self.base_lr
        if self.mode == "step":
            return self.base_lr * self._decayed(step)
        if self.mode == "exponential":
            return self.base_lr * _factors(self.decay)[0] ** (since / self.batches_per_epoch)
        part = _part(since, self.total_steps - self.warmup_steps)
        if self.mode == "cosine" and self.cosine_epochs:
            part = min(1.0, step // self.batches_per_epoch / self.cosine_epochs)
        left = (1 - part) ** self.power if self.mode == "poly" else (1 + math.cos(math.pi * part)) / 2
        return self.target_lr + (self.base_lr - self.target_lr) * left

    def shown(self, epoch: int) -> str:
        """Return an epoch's learning rate for the log: the last one, and the first one where that is 0."""
        first, last = (self((epoch + part) * self.batches_per_epoch) for part in (0, 1))
        return f"{last:.3g}" if last or not first else f"{first:.3g} to 0"

    def _decayed(self, step: int) -> float:
        """Return the product of the factors of all decay epochs up to a step."""
        begun = [round(epoch * self.batches_per_epoch) <= step for epoch in self.decay_epochs]
        factors = _factors(self.decay)
        if len(factors) == 1:
            return factors[0] ** sum(begun)
        return math.prod(factor for factor, has_begun in zip(factors, begun) if has_begun)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain numbers, fit for JSON; ``Schedule(**record)`` restores them."""
        decay = _factors(self.decay)
        return {
            **dataclasses.asdict(self),
            "decay": decay[0] if len(decay) == 1 else list(decay),
            "decay_epochs": list(self.decay_epochs),
        }


def _part(step: int, steps: int) -> float:
    """Return the position of a step within a number of steps: 0 at the first, 1 at the last."""
    return step / (steps - 1) if steps > 1 else 0.0


def _factors(decay: float | Sequence[float]) -> tuple[float, ...]:
    """Return one factor, or several, as a tuple."""
    return tuple(decay) if isinstance(decay, Sequence) else (decay,)
