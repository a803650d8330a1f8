"""A symbol in bfloat16: mxnet's own mixed precision, with convolution weights that take half the space."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from gluon_yolo.compat import mx
from gluon_yolo.export.symbol_fused import fuse
from gluon_yolo.inference.mxnet_precision import BFLOAT16

_FLOAT = ("Concat",)  # mxnet would let it join maps of different types, and fail


def convert(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray]
) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Turn a float32 graph into one that computes in bfloat16, and in float32 what is fragile.

    Batch norms are folded first, so that a weight is rounded once. mxnet's lists say which operators may
    compute in bfloat16 (``mx.contrib.amp``); decoding and suppression are none of them.

    The graph must be written with ``remove_amp_cast=False``: mxnet leaves its casts out of files otherwise.
    It runs as it is where the processor has AVX-512, fast where it has AVX-512 BF16; other processors cannot
    run it ("could not create a primitive descriptor iterator"). :mod:`gluon_yolo.inference.mxnet_runtime`
    computes in float32 there.

    Args:
        symbol: a float32 graph as ``export`` makes it, cut anywhere.
        parameters: values of all that it reads besides its input, by name.

    Returns:
        The graph, its input, outputs and the names of decoded boxes and scores as before, and the values of
        what it reads: bfloat16 for the convolutions, float32 for the rest.
    """
    amp = importlib.import_module("mxnet.contrib.amp")
    fused, values = fuse(symbol, parameters)
    converted, values, _ = amp.convert_model(
        fused,
        values,
        {},
        target_dtype="bfloat16",
        fp32_ops=[*amp.list_fp32_ops(BFLOAT16), *_FLOAT],
        cast_optional_params=True,
    )
    return converted, values
