"""Start: from settings to a network on its devices, with the weights that training begins from."""

from __future__ import annotations

import logging
from typing import Sequence

from gluon_yolo.compat import mx
from gluon_yolo.engine.settings import TrainSettings
from gluon_yolo.errors import UserError
from gluon_yolo.nn import weights, zoo
from gluon_yolo.nn.detector import Detector

log = logging.getLogger("gluon_yolo")


def start_network(
    settings: TrainSettings, class_names: Sequence[str], contexts: Sequence[mx.Context], fresh: bool = False
) -> Detector:
    """Build the network that a run asks for and give it its starting weights.

    Args:
        settings: network, normalisation, weights and seed.
        class_names: of the data.
        contexts: the devices to initialize on.
        fresh: leave random weights, for a checkpoint will replace them.

    Raises:
        UserError: for an unknown network, or weights that are missing or do not fit.
    """
    norm = "sync" if settings.syncbn else "frozen" if settings.freeze_bn else "bn"
    net = zoo.build(settings.network, class_names, norm=norm, num_devices=len(contexts))
    net.initialize_weights(ctx=list(contexts), seed=settings.seed)
    if fresh:
        return net
    if settings.weights:
        log.info("weights: %s", weights.load(net, settings.weights, partial=True))
    elif settings.pretrained:
        log.info("weights: %s", weights.load_pretrained(net))
    elif settings.pretrained_base == "yes":
        log.info("backbone: %s", weights.load_pretrained(net, backbone_only=True))
    elif settings.pretrained_base == "auto":
        try:
            log.info("backbone: %s", weights.load_pretrained(net, backbone_only=True))
        except UserError as error:
            log.warning("training from random weights, which takes more epochs: %s", error)
    return net
