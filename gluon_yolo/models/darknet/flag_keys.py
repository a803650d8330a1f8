"""Which cfg keys each flag of ``train`` comes from, for messages about default values."""

from __future__ import annotations

from gluon_yolo.models.darknet.plan import Plan

_KEYS = {
    "lr": ("learning_rate",),
    "momentum": ("momentum",),
    "wd": ("decay",),
    "no_wd": ("decay",),
    "batch_size": ("batch",),
    "epochs": ("max_batches",),
    "warmup_epochs": ("burn_in",),
    "warmup_power": ("power", "burn_in"),
    "lr_mode": ("policy",),
    "lr_power": ("power", "policy"),
    "lr_decay": ("scales", "scale", "gamma"),
    "lr_decay_epoch": ("steps",),
    "lr_decay_period": ("step",),
    "data_shape": ("width",),
    "random_shapes": ("random",),
    "no_random_shape": ("random",),
    "augment": ("jitter", "saturation", "exposure", "hue", "angle"),
    "box_loss": ("iou_loss",),
    "label_smooth": ("label_smooth_eps",),
    "label_smooth_factor": ("label_smooth_eps",),
    "freeze": ("stopbackward",),
}


def place_of(plan: Plan, flag: str) -> str:
    """Return file, line, section, key and value that a flag comes from, else the place of ``[net]``.

    Args:
        plan: of the cfg.
        flag: its name in Python.
    """
    net = plan.cfg.sections[0]
    for key in _KEYS.get(flag, ()):
        # Where several layers have stopbackward, the last one counts.
        for section in (net, *(head.section for head in plan.heads), *reversed(plan.cfg.sections)):
            if key in section:
                return f"{section.place(key)} {key}={section.entries[key].value}"
    return net.place()
