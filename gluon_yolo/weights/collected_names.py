"""Parameter names of ``net.export()`` and ``net.collect_params().save()``, mapped to names in the network.

Beside its name in the network (``neck.blocks.0.tip.0.weight``), mxnet gives a parameter a second one, made of
its scopes and its layer, each with a counter. ``yolov30_yolodetectionblockv31_conv2_weight`` is the third
convolution of the second block of the first YOLOv3 of a process; in the second YOLOv3 it is ``yolov31_...``.
So only the scopes and the order of the layers in each scope identify a parameter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

_NAME = re.compile(
    r"((?:.+_)?)([a-z]+)(\d+)_(weight|bias|gamma|beta|running_mean|running_var|moving_mean|moving_var)"
)
_GRID = re.compile(r"((?:.+_)?yolooutputv3\d+_)(anchor|offset)_\d+")  # constants of GluonCV's outputs
_CONSTANTS = ("normalize_", "tail_")  # of this package's own graphs
_OUTPUT, _BLOCK = "yolooutputv3", "yolodetectionblockv3"
Layers = dict[int, dict[str, str]]  # by a layer's number: its parameters' names by kind


def plain(name: str) -> str:
    """Return a name without the prefix that ``export`` adds."""
    return name[4:] if name.startswith(("arg:", "aux:")) else name


def is_collected(names: Iterable[str]) -> bool:
    """Return whether these are names of this kind."""
    names = list(names)
    return not any("." in name for name in names) and any(name.endswith("_weight") for name in names)


def of_ours(names: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """Map the names in a file that this package wrote to those of the same network; others are left out.

    Args:
        names: in the file.
        own: of the network: from the name in the network to mxnet's second name.
    """
    flat = flattened(own)
    found = {name: flat[plain(name)] for name in names if plain(name) in flat}
    if found:
        constants = (name for name in names if plain(name).startswith(_CONSTANTS))
        return {**found, **{name: f"normalize.{plain(name)}" for name in constants}}
    theirs, ours = _by_layer(names), _by_layer(own.values())
    places = {name: place for place, name in own.items()}
    if {key: len(layers) for key, layers in theirs.items()} != {key: len(x) for key, x in ours.items()}:
        return {}
    return {
        name: places[mine[kind]]
        for key, layers in theirs.items()
        for (_, layer), (_, mine) in zip(sorted(layers.items()), sorted(ours[key].items()))
        for kind, name in layer.items()
        if kind in mine
    }


def flattened(places: Iterable[str]) -> dict[str, str]:
    """Return the names in a network by the names that ``gluon-yolo export`` gives the parameters."""
    return {place.replace(".", "_"): place for place in places}


def is_folded(names: Iterable[str], places: Iterable[str]) -> bool:
    """Return whether a file has a bias for convolutions that have none in the network."""
    flat = flattened(places)
    biases = [plain(name) for name in names if plain(name).endswith("_bias")]
    return any(name not in flat and f"{name[: -len('bias')]}weight" in flat for name in biases)


def of_gluoncv(names: Sequence[str], places: Sequence[str], levels: int) -> dict[str, str]:
    """Map the names in a file to those of a network of GluonCV's kind.

    Parts with another number of layers in the file are left out, as is the classifier.

    Args:
        names: in the file, of a detector or of a backbone.
        places: names of the network's parameters, in its order.
        levels: of the detector. GluonCV orders them by descending stride, this package by ascending stride.
    """
    layers: dict[str, dict[str, Layers]] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for name in names:
        match = _NAME.fullmatch(plain(name))
        if match:
            scope, layer, number, kind = match.groups()
            sort = "norm" if "batchnorm" in layer else layer
            layers[scope][sort][int(number)][kind.replace("moving", "running")] = name
    scopes = {role: _counted(layers, role) for role in (_OUTPUT, _BLOCK)}
    parents = {scope[: scope.rindex(role)] for role, found in scopes.items() for scope in found}
    parts = {f"neck.blocks.{number}.": [scope] for number, scope in enumerate(scopes[_BLOCK])}
    parts.update({f"heads.levels.{levels - 1 - n}": [scope] for n, scope in enumerate(scopes[_OUTPUT])})
    parts["neck.transitions."] = [scope for scope in layers if scope in parents]
    used = {scope for some in parts.values() for scope in some}
    parts["backbone."] = [scope for scope in layers if scope not in used]
    cells = [place[: -len(".weight")] for place in places if place.endswith(".weight")]
    result = {}
    for beginning, some in parts.items():
        ours = [cell for cell in cells if cell.startswith(beginning)]
        theirs = _in_order([layers[scope] for scope in sorted(some, key=_natural)])
        if len(theirs) == len(ours):
            result.update(_paired(theirs, ours))
    for name in names:
        match = _GRID.fullmatch(plain(name))
        if match and match[1] in scopes[_OUTPUT]:
            result[name] = f"yolo_outputs.{scopes[_OUTPUT].index(match[1])}.{match[2]}s"
    return result


def _by_layer(names: Iterable[str]) -> dict[tuple[str, str], Layers]:
    """Return the parameters by scope, without its counters, and kind of layer."""
    found: dict[tuple[str, str], Layers] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        match = _NAME.fullmatch(plain(name))
        if match:
            scope, layer, number, kind = match.groups()
            found[scope, layer][int(number)][kind.replace("moving", "running")] = name
    return found


def _counted(scopes: Iterable[str], role: str) -> list[str]:
    """Return the scopes of a part, in the order of their counters."""
    found = [scope for scope in scopes if re.search(rf"(^|_){role}\d+_$", scope)]
    return sorted(found, key=_natural)


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key that puts conv2 before conv10."""
    return [(int(digits or -1), word) for word, digits in re.findall(r"(\D+)(\d*)", text)]


def _in_order(scopes: Sequence[dict[str, Layers]]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return the parameters of each convolution and its batch normalisation, in the order of computation.

    A scope with nested scopes, such as MobileNetV2's features, has its first convolution before them and the
    others after them.
    """
    ordered = [_cells(scope) for scope in scopes]
    first, *others = ordered or [[]]
    stem = 1 if others else len(first)
    return [*first[:stem], *(cell for cells in others for cell in cells), *first[stem:]]


def _cells(scope: dict[str, Layers]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return a scope's convolutions, each with its batch normalisation; empty where their numbers differ.

    The convolutions of heads have no batch normalisation.
    """
    convolutions = [layer for _, layer in sorted(scope.get("conv", {}).items())]
    norms = [layer for _, layer in sorted(scope.get("norm", {}).items())]
    if norms and len(norms) != len(convolutions):
        return []
    return list(zip(convolutions, norms or [{} for _ in convolutions]))


def _paired(theirs: Sequence[tuple[dict[str, str], dict[str, str]]], ours: Sequence[str]) -> dict[str, str]:
    """Return pairs of file's names and network's names, cell by cell."""
    pairs = {}
    for (convolution, norm), cell in zip(theirs, ours):
        pairs.update({name: f"{cell}.{kind}" for kind, name in convolution.items()})
        pairs.update({name: f"{cell.rpartition('.')[0]}.1.{kind}" for kind, name in norm.items()})
    return pairs
