"""What ``[net]`` says of training: defaults for a run that starts from a cfg."""

from __future__ import annotations

import dataclasses

from gluon_yolo.darknet.cfg import Cfg

POLICIES = ("constant", "steps", "step", "exp", "poly", "sigmoid", "random", "sgdr")


@dataclasses.dataclass(frozen=True)
class NetSettings:
    """The training keys of ``[net]``; None where the cfg does not say.

    Args:
        batch: pictures of a step of the optimizer.
        subdivisions: parts of a batch that are run one after the other.
        max_batches: steps of the whole training.
        learning_rate: after the warm-up.
        momentum: of SGD.
        decay: of the weights.
        burn_in: steps of the warm-up.
        power: of the warm-up, whose rate is ``learning_rate * (step / burn_in) ** power``.
        policy: how the rate goes on, one of ``POLICIES``.
        steps: for the policy ``steps``, where the rate changes.
        scales: the factor at each of them.
        angle: of a random turn, degrees.
        saturation: largest random factor of the colours' strength.
        exposure: largest random factor of the brightness.
        hue: largest random shift of the hue, in parts of the circle.
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


_WHOLE = ("batch", "subdivisions", "max_batches", "burn_in")
_FLOATS = ("learning_rate", "momentum", "decay", "power", "angle", "saturation", "exposure", "hue")


def net_settings(cfg: Cfg) -> NetSettings:
    """Return what a cfg's ``[net]`` says of training.

    Raises:
        UserError: a value is no number, the policy is unknown, or there are more steps than scales or fewer.
    """
    net = cfg.sections[0]
    values: dict = {key: net.get_int(key) for key in _WHOLE if key in net}
    values.update({key: net.get_float(key) for key in _FLOATS if key in net})
    if "policy" in net:
        values["policy"] = net.get_text("policy")
        if values["policy"] not in POLICIES:
            raise net.error(f"policy={values['policy']}: expected one of {', '.join(POLICIES)}", "policy")
    if values.get("policy") == "steps":
        values["steps"], values["scales"] = net.get_ints("steps"), net.get_floats("scales")
        if len(values["steps"]) != len(values["scales"]):
            counts = f"{len(values['scales'])} numbers, where steps has {len(values['steps'])}"
            raise net.error(f"scales: {counts}", "scales")
    return NetSettings(**values)
