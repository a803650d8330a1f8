"""The training keys of a cfg as flags of ``train``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gluon_yolo.models.darknet.layers import Yolo
from gluon_yolo.models.darknet.net_settings import NetSettings, net_settings
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.models.darknet.section import Section
from gluon_yolo.models.darknet.training_images import augment_flag, size_flags
from gluon_yolo.models.darknet.training_schedule import epochs_doubt, schedule_flags
from gluon_yolo.spec import LEAST_IOU

BATCH = 64  # of darknet's published cfgs; used where a cfg has batch=1, for testing

_NORMALIZERS = ("iou_normalizer", "cls_normalizer", "obj_normalizer", "delta_normalizer")
_LOSS_SWITCHES = ("focal_loss", "objectness_smooth", "max_delta")
# Keys of darknet's training without an equivalent here, with their neutral value.
_NET = {
    **dict.fromkeys(("adam", "adversarial_lr", "attention", "badlabels_rejection_percentage", "blur"), 0),
    **dict.fromkeys(("contrastive", "cutmix", "ema_alpha", "equidistant_point", "gaussian_noise"), 0),
    **dict.fromkeys(("mixup", "num_sigmas_reject_badlabels", "track", "unsupervised"), 0),
    **dict.fromkeys(("weights_reject_freq",), 0),
    **{"aspect": 1, "loss_scale": 1, "time_steps": 1},
}
_HEAD = {"counters_per_class": None, "resize": 1}
_LAYER = {
    **dict.fromkeys(("assisted_excitation", "burnin_update", "clip", "dont_update", "dropblock"), 0),
    **{"learning_rate": 1, "train_only_bn": 0},
}


def run_flags(plan: Plan, images: int, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the training keys of a cfg as defaults of a run.

    darknet counts batches, a run counts epochs: ``max_batches`` of ``batch`` images become the number of
    epochs with the same number of images. ``steps`` and ``burn_in`` keep their share of that number, or of
    ``--epochs`` where it is given: ``steps=40000`` of ``max_batches=50200`` is epoch 24 of 30.

    Args:
        plan: of the cfg.
        images: number of training images.
        given: flags that are set already, by their names in Python. ``epochs``, ``num_samples`` and
            ``data_shape`` are used here. Keys that contradict a given flag of the learning rate are left out.

    Returns:
        Flags by their names in Python, and a message for each key that has no equivalent.

    Raises:
        UserError: a value in the cfg is invalid.
    """
    settings = net_settings(plan.cfg)
    notes: list[str] = []
    plain = {"lr": settings.learning_rate, "momentum": settings.momentum, "wd": settings.decay}
    flags: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
    if settings.decay is not None:
        flags["no_wd"] = True  # darknet does not decay biases and batch normalisation
    if settings.batch == 1:
        notes.append(
            f"batch=1: the cfg is set for testing; {BATCH} is taken, as darknet's published ones train"
        )
    if settings.batch is not None:
        flags["batch_size"] = _batch(settings)
    batch, epoch = _batch(settings), _epoch(images, given)
    flags.update(schedule_flags(plan.cfg.sections[0], settings, batch, epoch, given, notes))
    flags.update(size_flags(plan, given))
    augment = augment_flag(plan, settings)
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
    others = list(dict.fromkeys(_without_equivalent(plan)))
    if others:
        notes.append(f"{', '.join(others)}: of darknet's training, and nothing here is like it; left out")
    return flags, notes


def doubts(plan: Plan, images: int, given: Mapping[str, Any]) -> list[str]:
    """Return warnings about a cfg's training with this data; the arguments are those of :func:`run_flags`."""
    settings = net_settings(plan.cfg)
    epoch = _epoch(images, given)
    doubt = epochs_doubt(plan.cfg.sections[0], settings, _batch(settings), epoch, given)
    return [doubt] if doubt else []


def _batch(settings: NetSettings) -> int:
    """Return darknet's batch size."""
    return settings.batch if settings.batch and settings.batch > 1 else BATCH


def _epoch(images: int, given: Mapping[str, Any]) -> int:
    """Return the number of images per epoch."""
    wanted = given.get("num_samples", 0)
    return min(images, wanted) if wanted > 0 else images


def _loss(plan: Plan, notes: list[str]) -> dict[str, Any]:
    """Return the flags of the loss, from the heads."""
    keys = {key: value for head in plan.heads for key, value in head.training.items()}
    section = plan.heads[0].section
    flags: dict[str, Any] = {"box_loss": _box_loss(plan.heads[0], keys.get("iou_loss", "mse"), notes)}
    smooth = section.get_float("label_smooth_eps", 0.0, least=0, below=1)
    if smooth:
        flags.update(label_smooth=True, label_smooth_factor=smooth / 2)  # darknet: t (1 - eps) + eps / 2
    scales = [f"{key}={keys[key]}" for key in _NORMALIZERS if section.get_float(key, 1.0) != 1]
    if scales:
        scale = "they scale" if len(scales) > 1 else "it scales"
        notes.append(
            f"{', '.join(scales)}: left out; in darknet {scale} the updates of boxes and scores, and the "
            "losses here have a balance of their own"
        )
    least = section.get_float("iou_thresh", 1.0)
    if least < 1:
        flags["assigner"] = "overlap"
        if least != LEAST_IOU:
            notes.append(
                f"iou_thresh={keys['iou_thresh']}: anchors whose overlap with an object is above {LEAST_IOU} "
                "answer for it here, as in darknet's published cfgs"
            )
    switches = [f"{key}={keys[key]}" for key in _LOSS_SWITCHES if section.get_float(key, 0.0)]
    if switches:
        notes.append(f"{', '.join(switches)}: no such change of the loss is built here")
    return flags


def _box_loss(head: Yolo, kind: str, notes: list[str]) -> str:
    """Return the box loss for a value of ``iou_loss``."""
    if kind == "mse" and head.new_coords:
        notes.append("iou_loss=mse: fits no boxes of new_coords=1 here; ciou is taken")
        return "ciou"
    if kind in ("mse", "giou", "diou", "ciou"):
        return "yolo3" if kind == "mse" else kind
    notes.append(f"iou_loss={kind}: not known here; giou, the nearest, is taken")
    return "giou"


def _without_equivalent(plan: Plan) -> Iterator[str]:
    """Yield each training key, with its value, that has an effect in darknet and no equivalent here."""
    yield from _active(plan.cfg.sections[0], _NET)
    for head in plan.heads:
        yield from _active(head.section, _HEAD)
    for layer in plan.layers:
        yield from _active(layer.section, _LAYER)


def _active(section: Section, neutral: Mapping[str, int | None]) -> Iterator[str]:
    for key, value in neutral.items():
        if key in section and (value is None or section.get_float(key) != value):
            yield f"{key}={section.get_text(key)}"
