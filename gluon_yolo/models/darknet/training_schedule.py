"""Training length and learning rate schedule of a cfg, as flags of ``train``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from gluon_yolo.models.darknet.net_settings import NetSettings
from gluon_yolo.models.darknet.section import Section
from gluon_yolo.text import exact, rounded

POWER = 4.0  # darknet's default, of the warm-up and of policy=poly
MANY_EPOCHS, FEWER_EPOCHS = 1000, 100  # a warning's limit, and its advice
LEAST_DECAY = 1e-300  # per epoch; a smaller factor underflows

# For a given flag: the flags of the cfg that it makes invalid.
_DECAYS = ("lr_decay", "lr_decay_epoch", "lr_decay_period")
_DECIDED = {
    "lr_mode": _DECAYS,
    "lr_decay_epoch": ("lr_decay", "lr_decay_period"),
    "lr_decay_period": ("lr_decay", "lr_decay_epoch"),
}


def schedule_flags(
    net: Section,
    settings: NetSettings,
    batch: int,
    images: int,
    given: Mapping[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    """Return the flags of epochs, warm-up and learning rate schedule.

    Args:
        net: the ``[net]`` section.
        settings: its training keys.
        batch: darknet's batch size.
        images: images per epoch.
        given: flags that are set already. ``epochs`` is used here; keys that contradict a given flag are left
            out.
        notes: list to which messages about keys without an equivalent are added.

    Raises:
        UserError: a value is invalid.
    """
    flags: dict[str, Any] = {}
    epochs_a_batch = batch / images
    if settings.max_batches:
        flags["epochs"] = max(1, math.ceil(Fraction(settings.max_batches * batch, images)))
        epochs_a_batch = given.get("epochs", flags["epochs"]) / settings.max_batches
    if settings.burn_in:
        flags["warmup_epochs"] = rounded(settings.burn_in * epochs_a_batch, 3)
        flags["warmup_power"] = POWER if settings.power is None else settings.power
    flags.update(_policy(net, settings, epochs_a_batch, notes))
    for name, decided in _DECIDED.items():
        if name in given and given[name] != flags.get(name):
            flags = {other: value for other, value in flags.items() if other not in decided}
    return flags


def epochs_doubt(
    net: Section, settings: NetSettings, batch: int, images: int, given: Mapping[str, Any]
) -> str | None:
    """Return a warning where the ``max_batches`` of a cfg give very many epochs of this data.

    Args:
        net: the ``[net]`` section.
        settings: its training keys.
        batch: darknet's batch size.
        images: images per epoch.
        given: flags that are set already.
    """
    epochs = (settings.max_batches or 0) * batch / images
    if "epochs" in given or epochs <= MANY_EPOCHS:
        return None
    return (
        f"{net.place('max_batches')} max_batches={settings.max_batches}: at batch={batch} these are "
        f"{math.ceil(epochs):,} epochs of this data, at {images} pictures an epoch; for fewer add "
        f"--epochs {FEWER_EPOCHS}, or another number, or --recipe small-data"
    )


def _policy(net: Section, settings: NetSettings, epochs_a_batch: float, notes: list[str]) -> dict[str, Any]:
    """Return the flags for ``policy``."""
    policy = settings.policy
    if policy is None:
        return {}
    if policy == "steps":
        return _steps(settings, epochs_a_batch)
    if policy == "poly":
        return {"lr_mode": "poly", "lr_power": POWER if settings.power is None else settings.power}
    factor = {"step": "scale", "exp": "gamma"}.get(policy)
    if factor is None:
        if policy != "constant":
            notes.append(
                f"policy={policy}: not known here; the learning rate stays as it is after the warm-up"
            )
        return {"lr_mode": "constant"}
    value = net.get_float(factor, 1.0, above=0)
    if value >= 1:
        if value > 1:
            notes.append(f"{factor}={net.get_text(factor)}: a learning rate that grows is not built here")
        return {"lr_mode": "constant"}
    if policy == "step":
        period = _epoch(net.get_int("step", 1, least=1) * epochs_a_batch)
        return {"lr_mode": "step", "lr_decay_period": period, "lr_decay": value}
    decay = value ** (1 / epochs_a_batch)
    if decay < LEAST_DECAY:
        raise net.error(
            f"gamma={net.get_text('gamma')}: leaves nothing of the learning rate after the "
            f"{1 / epochs_a_batch:,.0f} batches of one epoch of this data; give --lr-mode",
            "gamma",
        )
    return {"lr_mode": "exponential", "lr_decay": decay}


def _steps(settings: NetSettings, epochs_a_batch: float) -> dict[str, Any]:
    """Return the flags for ``steps`` and ``scales``."""
    # A step before the first one, as -1 in yolov2-tiny.cfg, applies from the beginning.
    epochs = [exact(_epoch(max(0, step) * epochs_a_batch)) for step in settings.steps]
    scales = settings.scales
    same = len(set(scales)) == 1
    if same and scales[0] > 1 and len(scales) == 1:
        # `train` rejects a single factor above 1; with a second one of 1 it is darknet's slow start.
        epochs, scales, same = epochs * 2, (*scales, 1.0), False
    decay = scales[0] if same and scales[0] <= 1 else ",".join(map(exact, scales))
    return {"lr_mode": "step", "lr_decay_epoch": ",".join(epochs), "lr_decay": decay}


def _epoch(epoch: float) -> float:
    """Return an epoch as a whole number; below 10 with two decimals, where rounding matters."""
    return round(epoch) if epoch >= 10 else rounded(epoch, 2)
