"""Freeze: exclude parts of a network from training."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gluon_yolo.errors import SettingError, SettingText
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import hold_statistics
from gluon_yolo.mxnet_compat import gluon
from gluon_yolo.text import near_words
from gluon_yolo.weights.load import structural_parameters


def freeze(net: DetectionNetwork, selectors: Sequence[str]) -> list[str]:
    """Exclude parts of a network from training: their parameters, and the statistics of their batch norms.

    Call it before the optimizer is made (:class:`gluon_yolo.training.mxnet_engine.step.TrainStep`), which
    then has no state for the frozen parameters.

    Args:
        net: initialized, with its starting weights.
        selectors: each is a whole number N, for the first N of ``net.layer_names`` and their batch norms, or
            the beginning of structural names up to a dot or the end, such as ``backbone``. Layers of a
            darknet network are counted as in darknet: 57 freezes the weights that ``NAME.conv.57`` contains.

    Returns:
        Lines for the log: one for each selector, and a summary; empty without selectors.

    Raises:
        SettingError: a number is not a number of layers, no name begins with a selector, or no parameter is
            left to train.
    """
    if not selectors:
        return []
    parameters = structural_parameters(net)
    lines = []
    for selector in selectors:
        names = (
            _first(net, list(parameters), selector)
            if selector.isdecimal()
            else _under(net, list(parameters), selector)
        )
        for name in names:
            parameters[name].grad_req = "null"
        norms = _norms_of(net, set(names))
        for norm in norms:
            hold_statistics(norm)
        what = f"the first {selector} layers" if selector.isdecimal() else selector
        lines.append(
            f"frozen: {what}: {len(names)} parameters, {len(norms)} batch norms keep their statistics"
        )
    trained = sum(parameter.grad_req != "null" for parameter in parameters.values())
    if not trained:
        raise SettingError(f"{{freeze}} {','.join(selectors)}: nothing is left to train; freeze less")
    net.hybridize(False)  # drops the cached graph, which would still train the parameters
    return [*lines, f"frozen: {trained} parameters are left to train"]


def frozen_at_random(net: DetectionNetwork, fresh: Collection[str]) -> list[str]:
    """Return the structural names of frozen weights that still have their random initial values.

    Args:
        net: as :func:`freeze` left it.
        fresh: the parameters that have their initial values.
    """
    return [
        name
        for name, parameter in structural_parameters(net).items()
        if name.endswith(".weight") and parameter.grad_req == "null" and name in fresh
    ]


def _first(net: DetectionNetwork, names: Sequence[str], selector: str) -> list[str]:
    """Return the parameters of the first N layers; one outside of all layers counts to the one before it."""
    places = {name: place for place, name in enumerate(net.layer_names)}
    if not 0 < int(selector) <= len(places):
        raise SettingError(
            f"{{freeze}} {selector}: {net.zoo_name} has {len(places)} layers: give from 1 to {len(places)}"
        )
    chosen, place = [], 0
    for name in names:
        place = next((places[prefix] for prefix in _prefixes(name) if prefix in places), place)
        if place < int(selector):
            chosen.append(name)
    return chosen


def _under(net: DetectionNetwork, names: Sequence[str], selector: str) -> list[str]:
    """Return the parameters whose names begin with a selector, up to a dot or to the end."""
    beginning = selector.rstrip(".")
    chosen = [name for name in names if beginning == name or beginning in _prefixes(name)]
    if not chosen:
        known = list(dict.fromkeys(prefix for name in names for prefix in _prefixes(name)))
        near = near_words(beginning, known) or [name for name in known if "." not in name][:8]
        raise SettingError(
            f"{{freeze}} {selector}: nothing in {net.zoo_name} is called so; there are {', '.join(near)}, ..."
        )
    return chosen


def _prefixes(name: str) -> list[str]:
    """Return the structural names of the blocks around a parameter, the outermost first."""
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words))]


def _norms_of(net: gluon.Block, frozen: set[str]) -> list[gluon.nn.BatchNorm]:
    """Return the batch norms whose statistics are frozen."""
    return [norm for place, norm in _batch_norms(net, "") if f"{place}.running_mean" in frozen]


def _batch_norms(block: gluon.Block, place: str) -> Iterator[tuple[str, gluon.nn.BatchNorm]]:
    """Yield every batch norm, of any kind, with its structural name."""
    if isinstance(block, gluon.nn.BatchNorm):
        yield place, block
    for name, child in block._children.items():
        yield from _batch_norms(child, f"{place}.{name}" if place else name)


def random_warnings(random: Sequence[str], selectors: str | None, place: str | None) -> list[SettingText]:
    """Return a warning if frozen weights have their random initial values.

    Args:
        random: the names of these weights.
        selectors: the setting ``freeze``.
        place: its origin; None where it is a flag.
    """
    if not random:
        return []
    origin = "" if place is None else f"{place}: as "
    text = (
        f"{origin}{{freeze}} {selectors}: {len(random)} of the frozen weights are random and stay so "
        f"({random[0]}, ...): start from a file that has them, with {{weights}}, or freeze less"
    )
    return [SettingText(text)]
