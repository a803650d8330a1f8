"""The operators that a model's symbol may have: those that compute from their inputs, and nothing else.

A symbol is a text that names operators, and mxnet has some that do more than compute: ``Custom`` calls
Python, ``_Native`` and ``_NDArray`` call a function at an address in the text (as soon as it is read), and
``_cvimread`` reads a file. So what is not known here is refused, before mxnet sees the text.
"""

from __future__ import annotations

from typing import Any

from gluon_yolo.graph.node import VARIABLE

LAYERS = frozenset(
    "Activation BatchNorm BlockGrad Convolution Deconvolution Dropout Embedding Flatten FullyConnected "
    "InstanceNorm L2Normalization LRN LayerNorm LeakyReLU Pad Pooling UpSampling "
    "_contrib_AdaptiveAvgPooling2D _contrib_BatchNormWithReLU _contrib_BilinearResize2D "
    "_contrib_SyncBatchNorm erf hard_sigmoid log_softmax relu sigmoid softmax softmin softsign tanh".split()
)
SHAPES = frozenset(
    "Cast Concat Crop Reshape SliceChannel SwapAxis _contrib_arange_like _arange _copy _full _ones _split_v2 "
    "_zeros broadcast_axis broadcast_like broadcast_to cast_storage depth_to_space expand_dims flip "
    "gather_nd identity one_hot ones_like pick repeat reshape_like reverse scatter_nd shape_array size_array "
    "slice slice_axis slice_like space_to_depth squeeze stack take tile transpose where zeros_like".split()
)
ARITHMETIC = frozenset(
    [
        *(f"elemwise_{name}" for name in "add div mul sub".split()),
        *(
            f"broadcast_{name}"
            for name in "add div equal greater greater_equal lesser lesser_equal logical_and logical_or "
            "maximum minimum mod mul not_equal power sub".split()
        ),
        *(
            f"_{name}_scalar"
            for name in "div equal greater greater_equal lesser lesser_equal maximum minimum minus mod mul "
            "not_equal plus power rdiv rminus rpower".split()
        ),
        *"_div _equal _greater _greater_equal _lesser _lesser_equal _maximum _minimum _minus _mul".split(),
        *"_not_equal _plus _power abs add_n arccos arcsin arctan batch_dot cbrt ceil clip cos dot".split(),
        *"exp expm1 fix floor log log10 log1p log2 logical_not negative reciprocal rint round rsqrt".split(),
        *"sign sin smooth_l1 sqrt square tan trunc".split(),
        *"argmax argmin argsort max mean min nansum norm prod sort sum topk".split(),
    ]
)
DETECTION = frozenset(f"_contrib_{name}" for name in "box_decode box_iou box_nms".split())
PRECISIONS = frozenset(
    [
        "amp_cast",
        "amp_multicast",
        "_sg_mkldnn_conv",
        "_sg_mkldnn_fully_connected",
        *(f"_contrib_{name}" for name in "quantize quantize_v2 dequantize requantize".split()),
        *(
            f"_contrib_quantized_{name}"
            for name in "act batch_norm concat conv elemwise_add elemwise_mul flatten fully_connected "
            "pooling".split()
        ),
    ]
)
KNOWN = LAYERS | SHAPES | ARITHMETIC | DETECTION | PRECISIONS | {VARIABLE}


def unknown_operator(record: Any) -> str | None:
    """Return an operator of a symbol that is not known, also one in a graph within a node; None without one.

    Args:
        record: the parsed text of the symbol.

    Raises:
        KeyError, TypeError, AttributeError: it is the text of no symbol.
    """
    for node in record["nodes"]:
        if node["op"] not in KNOWN:
            return str(node["op"])
        for inner in node.get("subgraphs", ()):
            found = unknown_operator(inner)
            if found is not None:
                return found
    return None
