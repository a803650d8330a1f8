"""mxnet's operators in PyTorch: one function each, with mxnet's attributes and defaults."""

from __future__ import annotations

from gluon_yolo.pytorch.operators import arithmetic, layers, shape
from gluon_yolo.pytorch.operators.registry import OPERATORS, Operator, Unsupported, attributes_of, operator_of

__all__ = [
    "OPERATORS",
    "Operator",
    "Unsupported",
    "arithmetic",
    "attributes_of",
    "layers",
    "operator_of",
    "shape",
]
