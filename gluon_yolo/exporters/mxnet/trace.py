"""Trace a network to a symbol with stable names: the same network gives the same file."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.inference.exported_format import RAW_MAP
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import gluon, mx

DECODED = ("decoded_boxes", "decoded_scores")
INPUT = "data"
_OUTPUTS = {"nms": ("ids", "scores", "bboxes"), "decoded": ("boxes", "scores")}
_TRAINING_ONLY = ("__init__", "__lr_mult__", "__wd_mult__")
_SYNC_NORM = "_contrib_SyncBatchNorm"


def trace(net: DetectionNetwork, tail: Decode | Detect | None) -> mx.sym.Symbol:
    """Turn a network and its decoding into a symbol with stable names.

    Variables have the name of the parameter in the network (``backbone_stages_0_0_0_weight``). Outputs are
    ``ids``, ``scores``, ``bboxes``, or ``boxes``, ``scores``, or ``raw_0``, ``raw_1``, ... Within the graph,
    the raw maps are ``raw_map_0``, ``raw_map_1``, ..., and decoded boxes and scores have the names in
    ``DECODED``; other nodes have the name of their operator and a number. SyncBatchNorm becomes BatchNorm,
    which is the same in inference.

    Args:
        net: the network.
        tail: :class:`Decode`, :class:`Detect`, or None for the raw maps.
    """
    outputs = net(mx.sym.var(INPUT))
    renames = {output.name: f"{RAW_MAP}{level}" for level, output in enumerate(outputs)}
    if tail is not None:
        outputs = tail(*outputs)
    kinds: dict[type, str] = {Decode: "decoded", Detect: "nms"}
    kind = kinds.get(type(tail))
    names = _OUTPUTS[kind] if kind else net.spec.output_names
    graph = mx.sym.Group([mx.sym.identity(output, name=name) for output, name in zip(outputs, names)])

    renames.update({parameter.name: name for name, parameter in parameters(net, tail).items()})
    renames.update({name: name for name in (INPUT, *names)})
    if tail is not None:
        decode = tail.decode if isinstance(tail, Detect) else tail
        renames.update({decode.prefix + own: name for own, name in zip(("boxes", "scores"), DECODED)})
    return mx.sym.load_json(_renamed(graph, renames))


def parameters(net: DetectionNetwork, tail: gluon.HybridBlock | None) -> dict[str, gluon.Parameter]:
    """Return the parameters of network and tail by their names in the graph."""
    found = dict(net._collect_params_with_prefix())
    found.update(tail._collect_params_with_prefix("tail") if tail is not None else {})
    return {name.replace(".", "_"): parameter for name, parameter in found.items()}


def _renamed(graph: mx.sym.Symbol, renames: dict[str, str]) -> str:
    """Return a graph's JSON with its nodes renamed, without attributes for training."""
    record: dict[str, Any] = json.loads(text_of(graph))
    numbers: Counter[str] = Counter()
    for node in record["nodes"]:
        attributes = node.get("attrs", {})
        for key in _TRAINING_ONLY:
            attributes.pop(key, None)
        if node["op"] == _SYNC_NORM:
            node["op"] = "BatchNorm"
            attributes["axis"] = "1"
            for key in ("key", "ndev"):
                attributes.pop(key, None)
        if node["name"] in renames:
            node["name"] = renames[node["name"]]
        else:
            kind = node["op"].strip("_").lower()
            node["name"] = f"{kind}{numbers[kind]}"
            numbers[kind] += 1
    return json.dumps(record)
