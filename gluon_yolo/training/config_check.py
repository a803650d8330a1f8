"""Checks of a training's settings: ranges, choices, and combinations."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gluon_yolo.data.loading import loader
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.errors import SettingError
from gluon_yolo.spec import BOX_LOSSES
from gluon_yolo.training.assigner_choice import YOLO3_ASSIGNERS
from gluon_yolo.training.config_forms import AUTO_BATCH
from gluon_yolo.training.lr_schedule import MODES
from gluon_yolo.training.processes.hosts import Hosts, Meet
from gluon_yolo.weights.remote import is_remote

BACKBONE_WEIGHTS = ("auto", "yes", "no")
WORKER_TYPES = ("auto", *loader.WORKER_TYPES)
VAL_METRICS = ("auto", "fitness", "voc07", "voc", "coco")
ENGINES = ("auto", "mxnet", "torch")
ASSIGNER_CHOICES = ("auto", "better", *YOLO3_ASSIGNERS)
OPTIMIZERS = ("sgd", "adamw")
PRECISIONS = ("float32", "tf32", "bfloat16")
MOST_THREADS = 4  # because of Python's lock, even two threads are only 1.65 times as fast as one

# Smallest valid values; infinity and NaN are always invalid.
_AT_LEAST = {
    **dict.fromkeys(("epochs", "batch_size", "max_detections"), 1),
    **dict.fromkeys(("log_interval", "val_interval", "shape_interval"), 1),
    **dict.fromkeys(("start_epoch", "seed", "num_workers", "save_interval", "no_mixup_epochs"), 0),
    **dict.fromkeys(("restarts", "patience", "hours", "rollbacks", "no_mosaic_epochs"), 0),
    **dict.fromkeys(("warmup_epochs", "warmup_lr", "lr_decay_period", "momentum", "wd"), 0),
    **dict.fromkeys(("target_lr", "cosine_epochs", "profile", "ema_decay", "ema_ramp_up"), 0),
    "num_samples": -1,
}
_ABOVE_0 = ("lr", "lr_power", "warmup_power", "loss_scale", "process_timeout", "distil_weight")
_CHOICES = {
    "worker_type": WORKER_TYPES,
    "box_loss": BOX_LOSSES,
    "assigner": ASSIGNER_CHOICES,
    "val_metric": VAL_METRICS,
    "lr_mode": MODES,
    "engine": ENGINES,
    "precision": PRECISIONS,
    "optimizer": OPTIMIZERS,
}
_CONTRADICTIONS = (("syncbn", "freeze_bn"), ("weights", "pretrained"))
# Settings that have a meaning in some modes of the learning rate only.
_OF_MODES = {"cosine_epochs": ("cosine",), "target_lr": ("poly", "cosine")}


def check_settings(settings: Mapping[str, Any], frozen: Sequence[str]) -> None:
    """Check every setting of a training.

    Args:
        settings: by name, typed.
        frozen: the selectors of ``freeze``.

    Raises:
        SettingError: a setting is invalid; it is the first one that the message names.
    """

    def require(name: str, fulfilled: bool, rule: str) -> None:
        value = settings[name]
        if not fulfilled:
            if isinstance(value, float) and not math.isfinite(value):
                rule = f"{rule}, and finite"
            raise SettingError(f"{{{name}}} {value}: {rule}")

    for name, least in _AT_LEAST.items():
        if name == "batch_size" and settings[name] == AUTO_BATCH:
            continue
        require(name, least <= settings[name] < math.inf, f"must be {least} or more")
    for name in _ABOVE_0:
        require(name, 0 < settings[name] < math.inf, "must be above 0")
    for name, choices in _CHOICES.items():
        require(name, settings[name] in choices, f"choose from {', '.join(choices)}")
    for name in ("momentum", "ema_decay"):
        require(name, settings[name] < 1, "must be below 1")
    _check_learning(settings, require)
    require("freeze", settings["freeze"] is None or bool(frozen), "names nothing")
    _check_smoothing(settings, require)
    base = settings["pretrained_base"]
    # a file has an absolute path here
    known = base in BACKBONE_WEIGHTS or os.path.isabs(base) or is_remote(base)
    require("pretrained_base", known, f"choose from {', '.join(BACKBONE_WEIGHTS)}, or name a file")
    last = settings["epochs"] - 1
    require("start_epoch", settings["start_epoch"] <= last, f"training ends with epoch {last}")
    _check_size("data_shape", settings["data_shape"])
    for size_hw in settings["random_shapes"]:
        _check_size("random_shapes", size_hw)
    require("random_shapes", bool(settings["random_shapes"]), "needs at least one size")
    for one, other in _CONTRADICTIONS:
        if settings[one] and settings[other]:
            raise SettingError(f"{{{one}}} and {{{other}}} exclude each other: give one of them")
    augmentation(settings["augment"])  # raises an error for an unknown name
    _check_hosts(settings)
    _check_teacher(settings)
    if settings["engine"] == "mxnet":
        refuse_for_mxnet(settings)


def refuse_for_mxnet(settings: Mapping[str, Any]) -> None:
    """Raise a SettingError if a setting needs torch's engine."""
    needed = "needs {engine} torch; mxnet's engine"
    if settings["precision"] != "float32":
        raise SettingError(f"{{precision}} {settings['precision']}: {needed} computes in float32")
    if settings["compile"]:
        raise SettingError(f"{{compile}}: {needed} always plans its graphs")
    if settings["deterministic"]:
        raise SettingError(f"{{deterministic}}: {needed} has no such mode")
    if settings["hosts"]:
        raise SettingError(f"{{hosts}} {settings['hosts']}: {needed} trains on one host")


def _check_hosts(settings: Mapping[str, Any]) -> None:
    """Check what several hosts need: a place to meet, and one name for the run."""
    hosts, meet, run_id = settings["hosts"], settings["meet"], settings["run_id"]
    if run_id is not None and not re.fullmatch(r"[\w.-]+", run_id):
        raise SettingError(f"{{run_id}} {run_id}: expected letters, digits and . _ - only")
    if meet is not None:
        Meet.of(meet)
        if hosts is None:
            raise SettingError(f"{{meet}} {meet}: say how many meet there: {{hosts}} 2")
    if hosts is not None and Hosts.of(hosts).most > 1 and meet is None:
        raise SettingError(f"{{hosts}} {hosts}: say where they meet: {{meet}} HOST:PORT, of one of them")


def _check_teacher(settings: Mapping[str, Any]) -> None:
    """Check that the settings of a teacher are complete."""
    teacher, weights = settings["teacher"], settings["teacher_weights"]
    for name in ("teacher_weights", "teacher_classes"):
        if settings[name] is not None and teacher is None:
            raise SettingError(f"{{{name}}} {settings[name]}: needs {{teacher}}, which says whose they are")
    if settings["distil_weight"] != 1 and teacher is None:
        raise SettingError(f"{{distil_weight}} {settings['distil_weight']:g}: needs {{teacher}}")
    if teacher is None or weights is None:
        if settings["teacher_classes"] is not None:
            raise SettingError(
                f"{{teacher_classes}} {settings['teacher_classes']}: needs {{teacher_weights}}; a run and a "
                "model's folder know their classes"
            )
        if teacher is not None and teacher.endswith(".cfg"):
            raise SettingError(
                f"{{teacher}} {teacher}: a cfg has no weights; name them: {{teacher_weights}} FILE.weights"
            )
    elif teacher.endswith(".cfg") and settings["teacher_classes"] is None:
        raise SettingError(
            f"{{teacher}} {teacher}: a cfg names no classes; name them, in the order of its training: "
            "{teacher_classes} FILE, a name a line"
        )


def _check_size(name: str, size_hw: tuple[int, int]) -> None:
    if any(side < 1 for side in size_hw):
        raise SettingError(f"{{{name}}} {'x'.join(map(str, size_hw))}: both sides must be 1 or more")


def _check_learning(settings: Mapping[str, Any], require: Any) -> None:
    """Check the decay factors, and the settings that belong to one mode only."""
    decay, mode = settings["lr_decay"], settings["lr_mode"]
    if isinstance(decay, Sequence):
        require("lr_decay", all(0 < x < math.inf for x in decay), "must be above 0")
        count = {"step": len(settings["lr_decay_epoch"]), "exponential": 1}.get(mode)
        rule = "as many as {lr_decay_epoch} has, for {lr_mode} step; or one"
        require("lr_decay", count in (None, len(decay)), rule)
    else:
        require("lr_decay", 0 < decay <= 1, "must be above 0 and at most 1")
    for name, modes in _OF_MODES.items():
        needed = f"needs {{lr_mode}} {' or '.join(modes)}"
        require(name, not settings[name] or mode in modes, needed)


def _check_smoothing(settings: Mapping[str, Any], require: Any) -> None:
    factor = settings["label_smooth_factor"]
    if factor is not None:
        require("label_smooth_factor", settings["label_smooth"], "needs {label_smooth}")
        require("label_smooth_factor", 0 < factor < 0.5, "must be above 0 and below 0.5")
