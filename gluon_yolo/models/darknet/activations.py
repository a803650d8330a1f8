"""Darknet's activations as blocks. Formulas: ``activations.h`` of AlexeyAB's darknet."""

from __future__ import annotations

from typing import Any, Callable

from gluon_yolo.models.layers import ReLU6
from gluon_yolo.mxnet_compat import gluon

nn = gluon.nn


class Elementwise(gluon.HybridBlock):
    """Apply a formula to each value; shape kept.

    Args:
        formula: function of ``F`` (``mx.nd`` or ``mx.sym``) and the map.
    """

    def __init__(self, formula: Callable[[Any, Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.formula = formula

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the values of the formula, same shape."""
        return self.formula(F, x)


def _mish(F: Any, x: Any) -> Any:
    """Return x tanh(softplus(x)) (Misra 2019)."""
    return x * F.tanh(F.Activation(x, act_type="softrelu"))


def _hard_mish(F: Any, x: Any) -> Any:
    return x * F.clip(x * 0.5 + 1, 0, 1)


def _selu(F: Any, x: Any) -> Any:
    return F.LeakyReLU(x, act_type="elu", slope=1.6732) * 1.0507


def _gelu(F: Any, x: Any) -> Any:
    return 0.5 * x * (1 + F.tanh(0.797885 * x + 0.035677 * x * x * x))


def _plse(F: Any, x: Any) -> Any:
    """Return a sigmoid of three linear pieces that meet at -4 and 4."""
    return 0.125 * F.clip(x, -4, 4) + 0.5 + 0.01 * (x - F.clip(x, -4, 4))


def _lhtan(F: Any, x: Any) -> Any:
    return F.clip(x, 0, 1) + 0.001 * (x - F.clip(x, 0, 1))


_FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "loggy": lambda F, x: 2 * F.sigmoid(x) - 1,
    "mish": _mish,
    "hard_mish": _hard_mish,
    "swish": lambda F, x: x * F.sigmoid(x),
    "selu": _selu,
    "gelu": _gelu,
    "ramp": lambda F, x: F.relu(x) + 0.1 * x,
    "plse": _plse,
    "hardtan": lambda F, x: F.clip(x, -1, 1),
    "lhtan": _lhtan,
}
_BLOCKS: dict[str, Callable[[], gluon.HybridBlock]] = {
    "leaky": lambda: nn.LeakyReLU(0.1),
    "revleaky": lambda: nn.LeakyReLU(0.1),
    "relie": lambda: nn.LeakyReLU(0.01),
    "relu": lambda: nn.Activation("relu"),
    "relu6": ReLU6,
    "logistic": lambda: nn.Activation("sigmoid"),
    "tanh": lambda: nn.Activation("tanh"),
    "elu": lambda: nn.ELU(1.0),
}


def activation_block(name: str) -> gluon.HybridBlock | None:
    """Return the block of an activation by darknet's name; None for ``linear``.

    Raises:
        KeyError: the name is not in :data:`gluon_yolo.models.darknet.parse.ACTIVATIONS`.
    """
    if name == "linear":
        return None
    return _BLOCKS[name]() if name in _BLOCKS else Elementwise(_FORMULAS[name])
