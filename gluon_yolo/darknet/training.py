"""A cfg's training keys as flags of ``train``: what darknet's recipe means for a run of epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gluon_yolo.darknet.plan import Plan
from gluon_yolo.darknet.settings import NetSettings, net_settings

BATCH = 64  # of darknet's published cfgs, where one has been set to batch=1 for testing
POWER = 4.0  # darknet's, of the warm-up and of policy=poly
JITTER = 0.2  # darknet's
RESIZE_STEP = 32  # darknet's, of random input sizes
LARGEST_SCALE = 4.0  # of an object, however large the jitter is

_NORMALIZERS = ("iou_normalizer", "cls_normalizer", "obj_normalizer", "delta_normalizer")
_LOSS_SWITCHES = ("focal_loss", "objectness_smooth", "max_delta")


def run_flags(plan: Plan, pictures: int, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what a cfg says of training, as defaults of a run.

    darknet counts batches, a run counts epochs: ``max_batches`` of ``batch`` pictures become as many epochs
    as show the same number of pictures. Of that, or of ``--epochs`` where it is given, ``steps`` and
    ``burn_in`` keep their share: ``steps=40000`` of ``max_batches=50200`` is epoch 24 of 30.

    Args:
        plan: of the cfg.
        pictures: to train on.
        given: flags that are decided already, by their names in Python; ``epochs`` and ``data_shape`` count
            here, and what would contradict ``lr_mode`` or ``lr_decay_epoch`` is left out.

    Returns:
        Flags by their names in Python, and a line for each key that has no equivalent.

    Raises:
        UserError: a value in the cfg makes no sense.
    """
    settings = net_settings(plan.cfg)
    notes: list[str] = []
    plain = {"lr": settings.learning_rate, "momentum": settings.momentum, "wd": settings.decay}
    flags: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
    if settings.decay is not None:
        flags["no_wd"] = True  # darknet spares biases and batch norms
    batch = settings.batch or BATCH
    if settings.batch == 1:
        batch = BATCH
        notes.append(
            f"batch=1: the cfg is set for testing; {BATCH} is taken, as darknet's published ones train"
        )
    if settings.batch is not None:
        flags["batch_size"] = batch
    flags.update(_schedule(plan, settings, batch, pictures, given, notes))
    if "lr_mode" in given:
        flags = {name: value for name, value in flags.items() if name not in ("lr_decay", "lr_decay_epoch")}
    elif "lr_decay_epoch" in given:
        flags.pop("lr_decay", None)
    flags.update(_sizes(plan, given))
    augment = _augment(plan, settings)
    if augment:
        flags["augment"] = augment
    flags.update(_loss(plan, notes))
    stops = [layer.index for layer in plan.layers if layer.section.get_int("stopbackward", 0)]
    if stops:
        flags["freeze"] = str(max(stops) + 1)
    if settings.subdivisions is not None and settings.subdivisions > 1:
        notes.append(
            f"subdivisions={settings.subdivisions}: a batch is not run in parts here; where memory is short, "
            "give a smaller --batch-size, and lower --lr alike"
        )
    return flags, notes


def _schedule(
    plan: Plan,
    settings: NetSettings,
    batch: int,
    pictures: int,
    given: Mapping[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    """Return epochs, warm-up, and how the learning rate goes on."""
    flags: dict[str, Any] = {}
    epochs_a_step = batch / pictures
    if settings.max_batches:
        flags["epochs"] = max(1, math.ceil(settings.max_batches * batch / pictures))
        epochs_a_step = given.get("epochs", flags["epochs"]) / settings.max_batches
    if settings.burn_in:
        flags["warmup_epochs"] = round(settings.burn_in * epochs_a_step, 3)
        flags["warmup_power"] = POWER if settings.power is None else settings.power
    net, policy = plan.cfg.sections[0], settings.policy
    if policy is None:
        return flags
    flags["lr_mode"] = "constant"
    if policy == "steps":
        epochs = [_rounded(step * epochs_a_step) for step in settings.steps]
        same = len(set(settings.scales)) == 1 and settings.scales[0] <= 1
        flags["lr_mode"] = "step"
        flags["lr_decay_epoch"] = ",".join(epochs)
        flags["lr_decay"] = settings.scales[0] if same else ",".join(f"{s:g}" for s in settings.scales)
    elif policy == "step" and 0 < net.get_float("scale", 1.0) < 1:
        period = max(1, round(net.get_int("step", 1, least=1) * epochs_a_step))
        flags.update(lr_mode="step", lr_decay_period=period, lr_decay=net.get_float("scale"))
    elif policy == "exp" and 0 < net.get_float("gamma", 1.0) < 1:
        flags.update(lr_mode="exponential", lr_decay=net.get_float("gamma") ** (1 / epochs_a_step))
    elif policy == "poly":
        flags.update(lr_mode="poly", lr_power=POWER if settings.power is None else settings.power)
    elif policy != "constant":
        notes.append(f"policy={policy}: not known here; the learning rate stays as it is after the warm-up")
    return flags


def _rounded(epoch: float) -> str:
    """Return an epoch as a whole one, but of the first few a part too, which is much of them."""
    return f"{round(epoch) if epoch >= 10 else round(epoch, 2):g}"


def _sizes(plan: Plan, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes to train at: of ``random=1``, up to 1.4 times the input's either way, as darknet's."""
    factor = max(head.section.get_float("random", 0.0) for head in plan.heads)
    if not factor:
        return {"no_random_shape": True}
    factor = 1.4 if factor == 1 else factor
    words = str(given.get("data_shape", "")).lower().split("x")
    asked = [int(word) for word in words if word.isdecimal()]
    own = (plan.picture.height, plan.picture.width)
    height, width = (asked[0], asked[-1]) if len(asked) == len(words) else own
    sizes = []
    for tenth in range(-100, 101):
        scale = factor ** (tenth / 100)
        drawn = [round(scale * side / RESIZE_STEP + 1) * RESIZE_STEP for side in (height, width)]
        if scale < 1 and (drawn[0] > height or drawn[1] > width):
            drawn = [height, width]
        sizes.append(str(drawn[0]) if drawn[0] == drawn[1] else f"{drawn[0]}x{drawn[1]}")
    return {"random_shapes": ",".join(dict.fromkeys(sizes))}


def _augment(plan: Plan, settings: NetSettings) -> str:
    """Return the changes of pictures as ``--augment`` takes them, empty where the cfg says nothing of them.

    darknet moves each side of a picture by up to ``jitter`` of it, which is a change of scale and of place
    (and of shape, which has no equivalent). Saturation and exposure are factors up to the key, either way;
    the hue moves by a part of the circle.
    """
    net = plan.cfg.sections[0]
    said = [head.section for head in plan.heads if "jitter" in head.section]
    if not said and (settings.saturation, settings.exposure, settings.hue, settings.angle) == (None,) * 4:
        return ""
    steps = ["mosaic"] if net.get_int("mosaic", 0) else []
    saturation, exposure = (max(1.0, value or 1.0) for value in (settings.saturation, settings.exposure))
    hue = settings.hue or 0.0
    if saturation > 1 or exposure > 1 or hue:
        ranges = (
            f"contrast={1 / exposure:.3g}:{exposure:.3g},saturation={1 / saturation:.3g}:{saturation:.3g}"
        )
        steps.append(f"color(brightness=0,{ranges},hue_degrees={360 * hue:.3g})")
    jitter = min(0.5, said[0].get_float("jitter") if said else JITTER)
    largest = 1 / max(1 / LARGEST_SCALE, 1 - 2 * jitter)
    turn = f",degrees={settings.angle:g}" if settings.angle else ""
    if jitter or turn:
        steps.append(f"affine(scale={1 / (1 + 2 * jitter):.3g}:{largest:.3g},translate={jitter:.3g}{turn})")
    if net.get_int("flip", 1):
        steps.append("flip")
    return ",".join([*steps, "letterbox" if plan.letterbox else "resize"])


def _loss(plan: Plan, notes: list[str]) -> dict[str, Any]:
    """Return what the heads say of the loss."""
    keys = {key: value for head in plan.heads for key, value in head.training.items()}
    section = plan.heads[0].section
    kind = keys.get("iou_loss", "mse")
    flags: dict[str, Any] = {"box_loss": "yolo3" if kind == "mse" else kind}
    if kind not in ("mse", "giou", "diou", "ciou"):
        flags["box_loss"] = "giou"
        notes.append(f"iou_loss={kind}: not known here; giou, the nearest, is taken")
    smooth = section.get_float("label_smooth_eps", 0.0)
    if smooth:
        flags.update(label_smooth=True, label_smooth_factor=smooth / 2)  # darknet: t (1 - eps) + eps / 2
    scales = [f"{key}={keys[key]}" for key in _NORMALIZERS if section.get_float(key, 1.0) != 1]
    if scales:
        notes.append(
            f"{', '.join(scales)}: scale the steps that darknet makes up for boxes and scores, which are no "
            "gradients of a loss; the losses here have a balance of their own"
        )
    if section.get_float("iou_thresh", 1.0) < 1:
        notes.append(
            f"iou_thresh={keys['iou_thresh']}: several anchors answer for an object; here the best does"
        )
    switches = [f"{key}={keys[key]}" for key in _LOSS_SWITCHES if section.get_float(key, 0.0)]
    if switches:
        notes.append(f"{', '.join(switches)}: no such change of the loss is built here")
    return flags
