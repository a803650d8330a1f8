"""Activations against the formulas of AlexeyAB's activations.h in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models.darknet.activations import activation_block
from gluon_yolo.models.darknet.parse import ACTIVATIONS
from gluon_yolo.mxnet_compat import nd

X = np.linspace(-7.5, 7.5, 61)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "linear": X,
    "leaky": np.where(X > 0, X, 0.1 * X),
    "revleaky": np.where(X > 0, X, 0.1 * X),
    "relu": X * (X > 0),
    "relu6": np.minimum(np.maximum(X, 0), 6),
    "logistic": sigmoid(X),
    "loggy": 2 * sigmoid(X) - 1,
    "mish": X * np.tanh(np.log(1 + np.exp(X))),
    "hard_mish": np.where(X > 0, X, np.where(X > -2, X * X / 2 + X, 0)),
    "swish": X * sigmoid(X),
    "tanh": 2 / (1 + np.exp(-2 * X)) - 1,
    "elu": np.where(X >= 0, X, np.exp(X) - 1),
    "selu": np.where(X >= 0, 1.0507 * X, 1.0507 * 1.6732 * (np.exp(X) - 1)),
    "gelu": 0.5 * X * (1 + np.tanh(0.797885 * X + 0.035677 * X**3)),
    "relie": np.where(X > 0, X, 0.01 * X),
    "ramp": X * (X > 0) + 0.1 * X,
    "plse": np.where(X < -4, 0.01 * (X + 4), np.where(X > 4, 0.01 * (X - 4) + 1, 0.125 * X + 0.5)),
    "hardtan": np.clip(X, -1, 1),
    "lhtan": np.where(X < 0, 0.001 * X, np.where(X > 1, 0.001 * (X - 1) + 1, X)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_formula(name):
    block = activation_block(name)
    x = nd.array(X)
    for hybrid in (False, True):
        if block is not None:
            block.hybridize(hybrid)
        given = x if block is None else block(x)
        np.testing.assert_allclose(given.asnumpy(), FORMULAS[name], atol=2e-6)
