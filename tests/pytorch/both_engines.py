"""A symbol's outputs and gradients, computed by mxnet and by PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gluon_yolo.graph.node import Graph
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.pytorch.module import graph_module
from gluon_yolo.torch_compat import torch

Values = dict[str, np.ndarray]


def of_mxnet(symbol: mx.sym.Symbol, arrays: Mapping[str, np.ndarray]) -> tuple[Values, list[np.ndarray]]:
    """Return outputs and gradients by name, of all outputs' sum with random weights; and these weights."""
    given = {name: nd.array(array, dtype=array.dtype) for name, array in arrays.items()}
    gradients = {name: nd.zeros(array.shape, dtype=array.dtype) for name, array in given.items()}
    bound = symbol.bind(mx.cpu(), given, gradients)
    outputs = bound.forward(is_train=True)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=output.shape).astype(np.float32) for output in outputs]
    bound.backward([nd.array(weight) for weight in weights])
    values = {f"output {place}": output.asnumpy() for place, output in enumerate(outputs)}
    values.update({f"gradient of {name}": gradient.asnumpy() for name, gradient in gradients.items()})
    return values, weights


def of_torch(
    symbol: mx.sym.Symbol,
    arrays: Mapping[str, np.ndarray],
    weights: list[np.ndarray],
    dtype: Any = torch.float32,
) -> Values:
    """Return the same values by PyTorch."""
    given = {name: torch.tensor(array) for name, array in arrays.items()}
    for name, tensor in given.items():
        if tensor.is_floating_point():
            given[name] = tensor.to(dtype).requires_grad_()
    module = graph_module(Graph.from_json(symbol.tojson()), {}, lambda name: False, list(given), dtype=dtype)
    outputs = module(*given.values())
    pairs = [(output, torch.tensor(w, dtype=dtype)) for output, w in zip(outputs, weights)]
    trained = [(output, weight) for output, weight in pairs if output.requires_grad]
    torch.autograd.backward([output for output, _ in trained], [weight for _, weight in trained])
    values = {f"output {place}": output.detach().numpy() for place, output in enumerate(outputs)}
    for name, tensor in given.items():
        gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        values[f"gradient of {name}"] = gradient.detach().numpy()
    return values
