"""Start: from settings to a network on its devices, with the weights that training begins from."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.compat import mx
from gluon_yolo.engine.settings import TrainSettings
from gluon_yolo.errors import UserError
from gluon_yolo.nn import weights, zoo
from gluon_yolo.nn.detector import Detector

_BACKBONE = "backbone."


def build_network(
    settings: TrainSettings, class_names: Sequence[str], contexts: Sequence[mx.Context]
) -> Detector:
    """Build the network that a run asks for, with random weights drawn from the run's seed.

    Args:
        settings: network, normalisation and seed.
        class_names: of the data.
        contexts: the devices to initialize on.

    Raises:
        UserError: for an unknown network.
    """
    norm = "sync" if settings.syncbn else "frozen" if settings.freeze_bn else "bn"
    net = zoo.build(settings.network, class_names, norm=norm, num_devices=len(contexts))
    net.initialize_weights(ctx=list(contexts), seed=settings.seed)
    return net


def load_starting_weights(net: Detector, settings: TrainSettings) -> str:
    """Give a network the weights that a run starts from; return a line on what was taken from where.

    Raises:
        UserError: for weights that are missing, or are of another network.
    """
    if settings.weights:
        return f"weights: {_same_network(net, weights.load(net, settings.weights, partial=True))}"
    if settings.pretrained:
        return f"weights: {weights.load_pretrained(net)}"
    if settings.pretrained_base == "no":
        return "weights: random"
    try:
        return f"backbone: {weights.load_pretrained(net, backbone_only=True)}"
    except UserError as error:
        if settings.pretrained_base == "yes":
            raise
        return f"weights: random, which takes more epochs: {error}"


def _same_network(net: Detector, loaded: weights.Loaded) -> weights.Loaded:
    """Return the report of weights that were loaded as far as they fit.

    Raises:
        UserError: when most of the backbone did not fit: what did, fits by accident.
    """
    backbone = [name for name in weights.structural_parameters(net) if name.startswith(_BACKBONE)]
    taken = sum(name.startswith(_BACKBONE) for name in loaded.taken)
    if 2 * taken < len(backbone):
        raise UserError(
            f"{loaded.source}: weights of another network than {net.zoo_name}: {taken} of its backbone's "
            f"{len(backbone)} parameters fit; ask for that network with --network, or start without --weights"
        )
    return loaded
