"""Names without places, of ``net.export()`` and ``net.collect_params().save()``, said in ours.

mxnet gives a parameter a name beside its place in the network: of the scopes that it was made in, each with
a counter, and of its layer, with another. ``yolov30_yolodetectionblockv31_conv2_weight`` is the third
convolution of the second block of the first YOLOv3 of a process; the second YOLOv3 is ``yolov31``. What
counts is therefore which scopes a file has, and the order of the layers in each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

_NAME = re.compile(
    r"((?:.+_)?)([a-z]+)(\d+)_(weight|bias|gamma|beta|running_mean|running_var|moving_mean|moving_var)"
)
_GRID = re.compile(r"((?:.+_)?yolooutputv3\d+_)(anchor|offset)_\d+")  # constants of GluonCV's outputs
_CONSTANTS = ("normalize_", "tail_")  # of gluon_yolo's own graphs
_OUTPUT, _BLOCK = "yolooutputv3", "yolodetectionblockv3"
Layers = dict[int, dict[str, str]]  # a layer's number to its parameters' kinds to their names


def plain(name: str) -> str:
    """Return a name without what ``export`` puts before it."""
    return name[4:] if name.startswith(("arg:", "aux:")) else name


def is_collected(names: Iterable[str]) -> bool:
    """Say whether these are names of the kind that is read here."""
    names = list(names)
    return not any("." in name for name in names) and any(name.endswith("_weight") for name in names)


def of_ours(names: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """Map a file's names to those of a network of this package that wrote it; what is no part is absent.

    Args:
        names: in the file.
        own: of the network, name by place to the name that mxnet gave it.
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
    """Return places in a network by the names that ``gluon-yolo export`` gives its parameters."""
    return {place.replace(".", "_"): place for place in places}


def is_folded(names: Iterable[str], places: Iterable[str]) -> bool:
    """Say whether convolutions of a network have a bias in a file that they have not in the network."""
    flat = flattened(places)
    biases = [plain(name) for name in names if plain(name).endswith("_bias")]
    return any(name not in flat and f"{name[: -len('bias')]}weight" in flat for name in biases)


def of_gluoncv(names: Sequence[str], places: Sequence[str], levels: int) -> dict[str, str]:
    """Map a file's names to the places in one of our networks of GluonCV's kind.

    A part of the network that has more or fewer layers in the file is absent, as is the classifier.

    Args:
        names: in the file, of a detector or of a backbone.
        places: of the network's parameters, in its order.
        levels: of the detector; GluonCV counts them from the coarsest, we from the finest.
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
    """Return parameters by scope and kind of layer, scopes without their counters."""
    found: dict[tuple[str, str], Layers] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        match = _NAME.fullmatch(plain(name))
        if match:
            scope, layer, number, kind = match.groups()
            found[scope, layer][int(number)][kind.replace("moving", "running")] = name
    return found


def _counted(scopes: Iterable[str], role: str) -> list[str]:
    """Return the scopes that are a part's, by their counters."""
    found = [scope for scope in scopes if re.search(rf"(^|_){role}\d+_$", scope)]
    return sorted(found, key=_natural)


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that puts conv2 before conv10."""
    return [(int(digits or -1), word) for word, digits in re.findall(r"(\D+)(\d*)", text)]


def _in_order(scopes: Sequence[dict[str, Layers]]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return each convolution's parameters with those of its norm, in the order of computation.

    A scope that has others within it, as MobileNetV2's features, has its first convolution before them, and
    the rest behind.
    """
    ordered = [_cells(scope) for scope in scopes]
    first, *others = ordered or [[]]
    stem = 1 if others else len(first)
    return [*first[:stem], *(cell for cells in others for cell in cells), *first[stem:]]


def _cells(scope: dict[str, Layers]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return a scope's convolutions, each with its norm; none without as many norms, but for heads."""
    convolutions = [layer for _, layer in sorted(scope.get("conv", {}).items())]
    norms = [layer for _, layer in sorted(scope.get("norm", {}).items())]
    if norms and len(norms) != len(convolutions):
        return []
    return list(zip(convolutions, norms or [{} for _ in convolutions]))


def _paired(theirs: Sequence[tuple[dict[str, str], dict[str, str]]], ours: Sequence[str]) -> dict[str, str]:
    """Return the file's names with our places, cell by cell; a norm of ours stands beside its convolution."""
    pairs = {}
    for (convolution, norm), cell in zip(theirs, ours):
        pairs.update({name: f"{cell}.{kind}" for kind, name in convolution.items()})
        pairs.update({name: f"{cell.rpartition('.')[0]}.1.{kind}" for kind, name in norm.items()})
    return pairs
