"""Which keys a section may have: those without effect on what the network computes, and those with a risk.

A key that the plan reads is not listed here. What is in none of the lists is unknown, and an error.
"""

from __future__ import annotations

from gluon_yolo.darknet.cfg import Section

# Training, augmentation, memory and display; a run's defaults may be taken from here.
_NET = """
    adam adversarial_lr angle aspect attention augment_speed badlabels_rejection_percentage batch blur burn_in
    contrastive contrastive_color contrastive_jit_flip cutmix decay dynamic_minibatch ema_alpha eps
    equidistant_point exposure flip gamma gaussian_noise hue inputs label_smooth_eps learning_rate
    learning_rate_min loss_scale max_batches max_chart_loss max_crop min_crop mixup momentum mosaic
    mosaic_bound num_sigmas_reject_badlabels optimized_memory policy power resize_step saturation scale scales
    seq_scales sequential_subdivisions sgdr_cycle sgdr_mult step steps subdivisions time_steps track
    try_fix_nan unsupervised use_cuda_graph weights_reject_freq workspace_size_limit_MB B1 B2
"""
# darknet looks for these in every layer: what is trained, and what is shown.
_LAYER = """
    burnin_update clip dont_update learning_rate onlyforward show_receptive_field stopbackward stream
    train_only_bn wait_stream
"""
_YOLO = """
    beta_nms counters_per_class dets_for_show dets_for_track embedding_layer jitter map max nms_kind
    nms_threshold random resize show_details sim_thresh thresh track_ciou_norm track_history_size
"""
_IDLE = {
    "net": _NET,
    "convolutional": "angle assisted_excitation dot grad_centr",
    "maxpool": "maxpool_zero_nonmax out_channels",
    "dropout": "dropblock dropblock_size_abs dropblock_size_rel",
    "yolo": _YOLO,
}
# Keys that change the result in a way that is not built here, with the value at which they do not.
_ONLY = {
    "convolutional": {
        "antialiasing": 0,
        "binary": 0,
        "bin_output": 0,
        "coordconv": 0,
        "flipped": 0,
        "reverse": 0,
        "rotate": 0,
        "share_index": -1000000000,
        "stretch": 0,
        "stretch_sway": 0,
        "sway": 0,
        "xnor": 0,
    },
    "maxpool": {"antialiasing": 0, "maxpool_depth": 0},
    "scale_channels": {"scale_wh": 0},
    "shortcut": {"alpha": 1, "beta": 0},
    "upsample": {"reverse": 0, "scale": 1},
}
_ONLY_LAYER = {"dontload": 0, "dontloadscales": 0}


def finish(section: Section, kind: str) -> tuple[str, ...]:
    """Judge the keys of a section that the plan did not read.

    Args:
        section: after its plan was made.
        kind: darknet's full name of the section.

    Returns:
        Those without effect on the result.

    Raises:
        UserError: for a key that changes the result and is not built here, or is unknown.
    """
    only = {**_ONLY.get(kind, {}), **({} if kind == "net" else _ONLY_LAYER)}
    idle = set((_IDLE.get(kind, "") + ("" if kind == "net" else f" {_LAYER}")).split())
    found = []
    for key in section.unread():
        if key in only:
            if section.get_float(key) != only[key]:
                value = section.get_text(key)
                raise section.error(f"{key}={value}: changes the result and is not supported here", key)
        elif key not in idle:
            raise section.error(f"{key}: unknown here, so it may change the result; remove it if not", key)
        found.append(key)
    return tuple(found)
