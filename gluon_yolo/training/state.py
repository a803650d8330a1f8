"""Progress: the position of a training, as its checkpoint stores it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

AFRESH = "start again, or fine-tune from weights/best.params"
NOT_A_STATE = (KeyError, TypeError, ValueError, AttributeError)
"""What a ``load_state_dict`` raises at something else than its state."""
_LATER = ("score_key", "callbacks", "ended", "rollbacks")  # fields that older checkpoints do not have
_MOST = 1 << 53  # of a count, which is exact as a float


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_int(value) and 0 <= value < _MOST


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_schedule(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_count(value.get(name)) for name in ("total_epochs", "batches_per_epoch")
    )


def _lists(each: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(each, value))


def _or_none(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or form(value)


_FORMS: dict[str, Callable[[Any], bool]] = {  # in JSON
    "network": _is_text,
    "class_names": _lists(_is_text),
    "seed": _is_int,
    **dict.fromkeys(("epoch", "batch", "step", "rollbacks"), _is_count),
    "losses": _lists(_is_number),
    "best_score": _or_none(_is_number),
    "best_epoch": _or_none(_is_count),
    "schedule": _is_schedule,
    "score_key": _or_none(_is_text),
    "ended": _is_text,
    "callbacks": lambda value: (
        isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
    ),
}


@dataclasses.dataclass
class Progress:
    """The position of a training, with the facts that a resume checks.

    Args:
        network: the network's canonical name.
        class_names: C names, in the order of the class channels.
        seed: the run's seed.
        epoch: the epoch to continue with.
        batch: the first batch of that epoch that is not trained yet.
        step: batches trained since the start of the training.
        losses: the sum of each loss over the trained batches of that epoch, for the epoch's means.
        best_score: the best validation score so far; None before the first validation.
        best_epoch: the epoch of the best score.
        schedule: ``Schedule.to_dict()`` of the run.
        score_key: the name of the score; None in old checkpoints, which did not store it.
        ended: why the training ended before its last epoch; empty where it did not.
        rollbacks: how often the training went back to a checkpoint because it diverged.
        callbacks: the states of the callbacks, as ``CallbackList.state_dict`` returns them.
    """

    network: str
    class_names: Sequence[str]
    seed: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: Sequence[float] = ()
    best_score: float | None = None
    best_epoch: int | None = None
    schedule: dict[str, Any] = dataclasses.field(default_factory=dict)
    score_key: str | None = None
    ended: str = ""
    rollbacks: int = 0
    callbacks: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Convert lists to tuples, which JSON does not have."""
        self.class_names = tuple(self.class_names)
        self.losses = tuple(self.losses)

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the fields that every record has."""
        return [field.name for field in dataclasses.fields(cls) if field.name not in _LATER]

    def to_dict(self) -> dict[str, Any]:
        """Return lists and numbers, fit for JSON."""
        lists = {"class_names": list(self.class_names), "losses": list(self.losses)}
        return {**dataclasses.asdict(self), **lists}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Progress:
        """Restore the result of :meth:`to_dict`; further keys of the record are ignored.

        Raises:
            ValueError: a field has a value of another form.
        """
        for name, form in _FORMS.items():
            if name in record and not form(record[name]):
                raise ValueError(f"{name} cannot be {record[name]!r:.80}")
        if record["batch"] > (batches := record["schedule"]["batches_per_epoch"]):
            raise ValueError(f"batch cannot be {record['batch']}, of {batches} in an epoch")
        later = {name: record[name] for name in _LATER if name in record}
        return cls(**{name: record[name] for name in cls.names()}, **later)

    def refuse_other_losses(self, path: Path, names: Sequence[str]) -> None:
        """Raise a UserError if this progress, read from ``path``, is within an epoch of other losses."""
        if self.losses and len(self.losses) != len(names):
            raise UserError(
                f"{path}: damaged: holds {counted(len(self.losses), 'loss')}, where this training has "
                f"{len(names)} ({', '.join(names)}); {AFRESH}"
            )

    def refuse_other(self, path: Path, network: str, class_names: Sequence[str]) -> None:
        """Raise a UserError if this progress, read from ``path``, has another network or other classes."""
        if self.network != network:
            raise UserError(
                f"{path}: holds the network {self.network}, not {network}; ask for the same network"
            )
        if len(self.class_names) != len(class_names):
            raise UserError(
                f"{path}: holds {counted(len(self.class_names), 'class')}, not {len(class_names)}; "
                "resume with the run's own data set, or start a run that fine-tunes from its weights"
            )
        pairs = zip(self.class_names, class_names)
        different = ", ".join(f"{saved!r} is now {other!r}" for saved, other in pairs if saved != other)
        if different:
            raise UserError(f"{path}: holds other class names: {different}; keep the names and their order")
