"""The known keys of each section: those that compute, must be neutral, or concern training and display.

The lists follow ``parser.c`` of AlexeyAB's and of Redmon's darknet, and ``darknet_cfg.cpp`` of hank.ai's. A
darknet ignores a key that the section does not use. So a key that any section of theirs uses has no effect in
other sections. A key that none of them knows is an error: another program may compute with it.
"""

from __future__ import annotations

import difflib

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.section import Section

# Keys that the plan reads, by section (gluon_yolo/models/darknet/parse.py).
COMPUTES = {
    "net": "channels height letter_box width",
    "convolutional": "activation batch_normalize cbn dilation filters groups pad padding size stride "
    "stride_x stride_y",
    "maxpool": "padding size stride stride_x stride_y",
    "avgpool": "",
    "upsample": "stride",
    "route": "group_id groups layers",
    "shortcut": "activation from weights_type",
    "scale_channels": "activation from",
    "sam": "activation from",
    "dropout": "probability",
    "empty": "",
    "yolo": "anchors classes mask new_coords num scale_x_y",
}
# Keys that change the result in a way that is not supported here, with their neutral value.
ONLY: dict[str, dict[str, str]] = {
    "convolutional": {
        **dict.fromkeys(("antialiasing", "binary", "bin_output", "coordconv", "flipped", "rotate"), "0"),
        **dict.fromkeys(("stretch", "stretch_sway", "sway", "xnor"), "0"),
        "share_index": "-1000000000",
    },
    "maxpool": dict.fromkeys(("antialiasing", "maxpool_depth", "maxpool_zero_nonmax"), "0"),
    "scale_channels": {"scale_wh": "0"},
    "shortcut": {"alpha": "1", "beta": "1"},
    "upsample": {"scale": "1"},
    "yolo": {"representation": "exp"},
}
# Keys of any layer about its values in the weights file, with their neutral value.
ONLY_LAYER = dict.fromkeys(("dontload", "dontloadscales", "dontsave", "numload"), "0")
# Keys that only training reads, by section. training_flags.py turns some of them into defaults of a run.
TRAINS = {
    "net": "adam adversarial_lr angle aspect attention augment_speed B1 B2 badlabels_rejection_percentage "
    "batch blur burn_in center clip contrastive contrastive_color contrastive_jit_flip cutmix decay "
    "dynamic_minibatch ema_alpha eps equidistant_point exposure flip gamma gaussian_noise hue "
    "label_smooth_eps learning_rate learning_rate_min loss_scale max_batches max_crop max_ratio min_crop "
    "min_ratio mixup momentum mosaic mosaic_bound notruth num_sigmas_reject_badlabels policy power random "
    "resize_step saturation scale scales seq_scales sequential_subdivisions sgdr_cycle sgdr_mult "
    "step steps subdivisions time_steps track unsupervised weights_reject_freq",
    "convolutional": "angle assisted_excitation dot grad_centr reverse",
    "dropout": "dropblock dropblock_size_abs dropblock_size_rel",
    "yolo": "cls_normalizer counters_per_class delta_normalizer focal_loss ignore_thresh iou_loss "
    "iou_normalizer iou_thresh iou_thresh_kind jitter label_smooth_eps map max max_delta obj_normalizer "
    "objectness_smooth random resize truth_thresh",
}
TRAINS_LAYER = (
    "burnin_update clip dont_update learning_rate onlyforward smooth stopbackward train_only_bn truth"
)
# Keys of any section about memory, display, and boxes after detection.
_IDLE = (
    "beta_nms dets_for_show dets_for_track embedding_layer inputs max_chart_loss nms_kind optimized_memory "
    "out_channels show_details show_receptive_field sim_thresh stream thresh track_ciou_norm "
    "track_history_size try_fix_nan use_cuda_graph wait_stream weights_normalization workspace_size_limit_MB"
)
# Keys of sections that are not supported.
_ELSEWHERE = (
    "absolute alpha atoms background beta bias_match bottleneck class_scale classfix contrastive_neg_max "
    "coord_scale coords crop_height crop_width extra flatten forced hidden hidden_filters history_size ids "
    "kappa log logistic lstm_activation mask_scale mean noadjust noloss noobj noobject_scale object_scale "
    "output output_filters peephole ratio reorg rescore shift shortcut side softmax spatial sqrt "
    "state_constrain std tanh temperature time_normalizer tree type uc_normalizer yolo_layer yolo_point"
)
# Keys of published cfgs that no darknet reads: an older name of beta_nms; 8-bit ranges of yolo2_light;
# training length, optimizer and image counts of other programs.
_UNREAD = "beta1 input_calibration max_epoch max_epochs optimizer seen"
_KNOWN = frozenset(
    " ".join(
        (*COMPUTES.values(), *map(" ".join, ONLY.values()), " ".join(ONLY_LAYER), *TRAINS.values())
        + (TRAINS_LAYER, _IDLE, _ELSEWHERE, _UNREAD)
    ).split()
)


def finish(section: Section, kind: str) -> tuple[str, ...]:
    """Check the keys of a section that the plan did not read, and the repeated ones.

    Args:
        section: after its layer was made.
        kind: darknet's full name of the section.

    Returns:
        The keys without an effect on the result; for a repeated key also the value that counts.

    Raises:
        UserError: a key changes the result and is not supported, is unknown, or computes and has two
            different values, of which OpenCV and darknet use different ones.
    """
    only = {**ONLY.get(kind, {}), **({} if kind == "net" else ONLY_LAYER)}
    found = []
    for key in section.unread():
        if key in only:
            if not _same(section.get_text(key), only[key]):
                value = section.get_text(key)
                raise section.error(f"{key}={value}: changes the result and is not supported here", key)
        elif key not in _KNOWN:
            near = difflib.get_close_matches(key, _words(kind), n=1)
            guess = f" (did you mean {near[0]}?)" if near else ""
            raise section.error(
                f"{key}: unknown here{guess}, so it may change the result; remove it if not", key
            )
        found.append(key)
    computing = {*COMPUTES[kind].split(), *only}
    for key, entry in section.repeated:
        line, first = section.entries[key].line, section.entries[key].value
        if key in computing:
            place = f"{section.path}:{entry.line}: [{section.name}]"
            raise UserError(f"{place} {key}={entry.value}: but line {line} says {key}={first}; remove one")
        found.append(f"{key}={entry.value} on line {entry.line} ({key}={first} on line {line} counts)")
    return tuple(found)


def _words(kind: str) -> list[str]:
    """Return the keys that a section of this kind uses, for hints."""
    texts = (COMPUTES[kind], *ONLY.get(kind, {}), TRAINS.get(kind, ""), "" if kind == "net" else TRAINS_LAYER)
    return " ".join(texts).split()


def _same(text: str, neutral: str) -> bool:
    """Return whether a value equals the neutral one, as text or as a number."""
    try:
        return text == neutral or float(text) == float(neutral)
    except ValueError:
        return False
