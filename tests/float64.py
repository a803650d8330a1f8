"""Values and gradients in float64, as the reference for float32.

In float64 mxnet uses its own plain operators, called one by one: no oneDNN and no planned graph, so none of
the faults for which the package has workarounds. ``tests/test_float64.py`` compares these gradients with
central differences.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from unittest import mock

import numpy as np

from gluon_yolo.models.layers import Normalize
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.weights.load import structural_parameters

# A parameter whose gradient is this much smaller than all gradients together is not compared relative to its
# own size: it is a small difference of large terms, whose rounding error it has.
NEGLIGIBLE = 1e-2


class Difference(NamedTuple):
    """Distance of gradients from those in float64: |difference| over |float64's|, both as Euclidean norms.

    Args:
        whole: of all parameters together.
        worst: of the parameter with the largest distance.
        name: of that parameter.
    """

    whole: float
    worst: float
    name: str


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Use float64 where the package's blocks say float32, while they are called one by one."""

    def planes(self, F, pixels, mean, std):
        scaled = F.transpose(F.cast(pixels, "float64"), axes=(0, 3, 1, 2)) / 255
        return F.broadcast_div(F.broadcast_sub(scaled, mean), std)

    def norm_then_relu(*arrays, **options):
        return nd.relu(nd.BatchNorm(*arrays, **options))

    def leaky(x, act_type="leaky", slope=0.25, **options):
        if act_type == "leaky":  # mxnet's own multiplies in float32 for any input
            return nd.where(x > 0, x, x * slope)
        return others(x, act_type=act_type, slope=slope, **options)

    one_hot, full, others = mx.nd.one_hot, mx.nd.full, mx.nd.LeakyReLU
    with contextlib.ExitStack() as patched:
        for target, name, double in (
            (Normalize, "hybrid_forward", planes),
            (mx.nd.contrib, "BatchNormWithReLU", norm_then_relu),
            (mx.nd, "LeakyReLU", leaky),
            (mx.nd, "one_hot", lambda *args, **options: one_hot(*args, **{**options, "dtype": "float64"})),
            (mx.nd, "full", lambda *args, **options: full(*args, **{**options, "dtype": "float64"})),
        ):
            patched.enter_context(mock.patch.object(target, name, double))
        yield


def network_gradients(
    net: gluon.Block, loss: gluon.Block, images: np.ndarray, targets: np.ndarray, dtype: str = "float32"
) -> dict[str, np.ndarray]:
    """Return the gradient of each trained parameter for one batch."""
    with autograd.record():
        parts = list(loss(*net(nd.array(images, dtype="uint8")), nd.array(targets, dtype=dtype)))
    autograd.backward(parts)
    nd.waitall()
    return {
        name: parameter.grad().asnumpy().astype(np.float64)
        for name, parameter in structural_parameters(net).items()
        if parameter.grad_req != "null"
    }


def difference(found: dict[str, np.ndarray], judge: dict[str, np.ndarray]) -> Difference:
    """Return the distance of gradients from the reference."""
    assert found.keys() == judge.keys()
    total = float(np.sqrt(sum((gradient**2).sum() for gradient in judge.values())))
    apart = {name: float(np.linalg.norm(found[name] - judge[name])) for name in judge}
    errors = {name: apart[name] / max(np.linalg.norm(judge[name]), NEGLIGIBLE * total) for name in judge}
    worst = max(errors, key=lambda name: errors[name])
    return Difference(float(np.linalg.norm(list(apart.values()))) / total, float(errors[worst]), worst)


def block_values(
    block: gluon.Block,
    inputs: Sequence[np.ndarray],
    dtype: str = "float32",
    parameters: dict[str, np.ndarray] | None = None,
    hybridize: bool = False,
    gradients: bool = True,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Return a block's outputs, and the gradients of its inputs and its parameters.

    Args:
        block: initialized, with known shapes.
        inputs: its arrays.
        dtype: of the computation.
        parameters: to set first, by structural name; None keeps the block's own.
        hybridize: whether to plan the graph, as a training step of mxnet does.
        gradients: whether to return gradients, of a random weighted sum of all outputs.
        seed: of the weights of that sum.
    """
    block.cast(dtype)
    for name, value in (parameters or {}).items():
        block._collect_params_with_prefix()[name].set_data(nd.array(value, dtype=dtype))
    block.hybridize(hybridize, **({"static_alloc": True} if hybridize else {}))
    arrays = [nd.array(array, dtype=dtype) for array in inputs]
    for array in arrays:
        array.attach_grad()
    with autograd.record():
        given = block(*arrays)
    outputs = list(given) if isinstance(given, (list, tuple)) else [given]
    values = {f"output {place}": output.asnumpy() for place, output in enumerate(outputs)}
    if gradients:
        rng = np.random.default_rng(seed)
        autograd.backward(outputs, [nd.array(rng.normal(size=o.shape), dtype=dtype) for o in outputs])
        nd.waitall()
        values.update({f"gradient of input {i}": a.grad.asnumpy() for i, a in enumerate(arrays)})
        for name, parameter in block._collect_params_with_prefix().items():
            trained = parameter.grad_req != "null"
            values[name] = (parameter.grad() if trained else parameter.data()).asnumpy()
    return {name: value.astype(np.float64) for name, value in values.items()}


def block_error(
    make: Callable[[], gluon.Block], inputs: Sequence[np.ndarray], hybridize: bool, **options
) -> tuple[float, str]:
    """Return the largest error of a block in float32, over outputs, gradients and statistics, and its place.

    Args:
        make: function that returns the initialized block; called twice.
        inputs: its arrays.
        hybridize: whether the float32 block is a planned graph.
        **options: of :func:`block_values`.
    """
    plain, judge = make(), make()
    parameters = {
        name: parameter.data().asnumpy() for name, parameter in plain._collect_params_with_prefix().items()
    }
    found = block_values(plain, inputs, "float32", None, hybridize, **options)
    with in_float64():
        right = block_values(judge, inputs, "float64", parameters, False, **options)
    assert found.keys() == right.keys()
    sizes = {name: float(np.linalg.norm(value)) for name, value in right.items()}
    floors = [
        NEGLIGIBLE
        * max((size for name, size in sizes.items() if name.startswith("output") == given), default=0)
        for given in (False, True)
    ]
    errors = {
        name: float(np.linalg.norm(found[name] - value))
        / max(sizes[name], floors[name.startswith("output")], 1e-12)
        for name, value in right.items()
    }
    worst = max(errors, key=lambda name: errors[name] if np.isfinite(errors[name]) else np.inf)
    return errors[worst], worst
