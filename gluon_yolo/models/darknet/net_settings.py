"""The training keys of ``[net]``, as typed values."""

from __future__ import annotations

import dataclasses
from typing import Any

from gluon_yolo.models.darknet.cfg import Cfg

POLICIES = ("constant", "steps", "step", "exp", "poly", "sigmoid", "random", "sgdr")


@dataclasses.dataclass(frozen=True)
class NetSettings:
    """The training keys of ``[net]``; None where the cfg does not have the key.

    Args:
        batch: images per step of the optimizer.
        subdivisions: parts of a batch that run one after the other.
        max_batches: steps of the whole training.
        learning_rate: after the warm-up.
        momentum: of SGD.
        decay: weight decay.
        burn_in: steps of the warm-up.
        power: exponent of the warm-up; its rate is ``learning_rate * (step / burn_in) ** power``.
        policy: schedule of the learning rate, one of ``POLICIES``.
        steps: steps at which the policy ``steps`` changes the rate.
        scales: factor at each of them.
        angle: largest random rotation in degrees.
        saturation: largest random factor of the saturation.
        exposure: largest random factor of the brightness.
        hue: largest random shift of the hue, as a fraction of the full circle.
    """

    batch: int | None = None
    subdivisions: int | None = None
    max_batches: int | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    decay: float | None = None
    burn_in: int | None = None
    power: float | None = None
    policy: str | None = None
    steps: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()
    angle: float | None = None
    saturation: float | None = None
    exposure: float | None = None
    hue: float | None = None


# Smallest value of each key; for floats also open bounds.
_WHOLE = {"batch": 1, "subdivisions": 1, "max_batches": 0, "burn_in": 0}
_FLOATS: dict[str, dict[str, float]] = {
    "learning_rate": {"above": 0},
    "momentum": {"least": 0, "below": 1},
    "decay": {"least": 0},
    "power": {"above": 0},
    "angle": {},
    "saturation": {"least": 0},
    "exposure": {"least": 0},
    "hue": {},
}


def net_settings(cfg: Cfg) -> NetSettings:
    """Return the training keys of a cfg's ``[net]``.

    Raises:
        UserError: a value is no number or out of its range, the policy is unknown, or steps and scales have
            different lengths.
    """
    net = cfg.sections[0]
    values: dict[str, Any] = {
        key: net.get_int(key, least=least) for key, least in _WHOLE.items() if key in net
    }
    values.update({key: net.get_float(key, **limits) for key, limits in _FLOATS.items() if key in net})
    if "policy" in net:
        values["policy"] = net.get_text("policy")
        if values["policy"] not in POLICIES:
            raise net.error(f"policy={values['policy']}: expected one of {', '.join(POLICIES)}", "policy")
    if values.get("policy") == "steps":
        values["steps"], values["scales"] = net.get_ints("steps"), net.get_floats("scales")
        if len(values["steps"]) != len(values["scales"]):
            counts = f"{len(values['scales'])} numbers, where steps has {len(values['steps'])}"
            raise net.error(f"scales: {counts}", "scales")

        if not all(scale > 0 for scale in values["scales"]):
            raise net.error(f"scales={net.get_text('scales')}: expected factors above 0", "scales")
    return NetSettings(**values)
