"""In which precision a symbol computes, and whether this machine can: what mxnet does not say of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gluon_yolo.compat import mx
from gluon_yolo.inference import runtime
from gluon_yolo.inference.runtime import CPUINFO

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])  # as mxnet knows it
_DTYPE, _BFLOAT16_CODE, _FLOAT32_CODE = "__dtype__", "12", "0"


def is_bfloat16(parameters: Mapping[str, mx.nd.NDArray]) -> bool:
    """Return whether a graph that reads these arrays computes in bfloat16."""
    return any(array.dtype == BFLOAT16 for array in parameters.values())


def is_int8(symbol: mx.sym.Symbol) -> bool:
    """Return whether a graph computes in int8."""
    return any(node["op"] == "_contrib_quantize_v2" for node in json.loads(symbol.tojson())["nodes"])


def has_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Return whether this processor computes in bfloat16 faster than in float32; False where none can tell.

    oneDNN emulates it on a processor with AVX-512 alone, at half of float32's speed, and fails on others.
    """
    return runtime.processor_has({"avx512_bf16"}, cpuinfo)


def as_float32(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a bfloat16 graph into one that computes in float32, with weights rounded as they are."""
    record = json.loads(symbol.tojson())  # which leaves mxnet's casts out
    for node in record["nodes"]:
        if node.get("attrs", {}).get(_DTYPE) == _BFLOAT16_CODE:
            node["attrs"][_DTYPE] = _FLOAT32_CODE
    widened = {
        name: mx.nd.amp_cast(array, dtype="float32") if array.dtype == BFLOAT16 else array
        for name, array in parameters.items()
    }
    return mx.sym.load_json(json.dumps(record)), widened
