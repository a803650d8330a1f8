"""Operators of layers: convolution, pooling, activations, normalisation, dropout. A map is (B, C, H, W)."""

from __future__ import annotations

from typing import Any

from gluon_yolo.pytorch.batch_norm import BatchNorm
from gluon_yolo.pytorch.operators.registry import BOOL, is_number, is_pair, is_whole, operator
from gluon_yolo.torch_compat import F, Tensor, nn, torch


@operator(
    "Convolution",
    kernel=lambda value: isinstance(value, tuple) and len(value) == 2,
    num_filter=is_whole,
    stride=is_pair,
    dilate=is_pair,
    pad=is_pair,
    num_group=is_whole,
    no_bias=BOOL,
    layout=("NCHW", None),
)
def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel: tuple[int, int],
    num_filter: int,
    stride: tuple[int, ...] = (),
    dilate: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    num_group: int = 1,
    no_bias: bool = False,
    layout: str | None = None,
) -> Tensor:
    """Return the convolution of a map."""
    return F.conv2d(x, weight, bias, stride or 1, pad or 0, dilate or 1, num_group)


def _pooling_problem(
    kernel: tuple[int, ...] = (),
    stride: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    pool_type: str = "max",
    global_pool: bool = False,
    pooling_convention: str = "valid",
    count_include_pad: bool = True,
    **others: Any,
) -> str:
    """Return what is wrong with a pool.

    PyTorch leaves out a window that lies wholly in the padding, and counts for a mean what lies beyond the
    padding as mxnet's kernels for a CPU do not.
    """
    if global_pool:
        return "" if pool_type == "avg" else f"pool_type={pool_type}, global_pool={global_pool}"
    if not kernel:
        return "kernel=()"
    if pool_type == "avg" and count_include_pad and pooling_convention == "full":
        return "pool_type=avg, count_include_pad=True, pooling_convention=full"
    for window, step, padding in zip(kernel, stride or (1, 1), pad or (0, 0)):
        beyond = pooling_convention == "full" and padding + step - 1 >= window
        if 2 * padding > window or beyond:
            return f"kernel={kernel}, stride={stride}, pad={pad}, pooling_convention={pooling_convention}"
    return ""


@operator(
    "Pooling",
    together=_pooling_problem,
    kernel=is_pair,
    stride=is_pair,
    pad=is_pair,
    pool_type=("max", "avg"),
    global_pool=BOOL,
    layout=("NCHW", None),
    pooling_convention=("valid", "full"),
    count_include_pad=BOOL,
)
def pooling(
    x: Tensor,
    *,
    kernel: tuple[int, ...] = (),
    stride: tuple[int, ...] = (),
    pad: tuple[int, ...] = (),
    pool_type: str = "max",
    global_pool: bool = False,
    layout: str | None = None,
    pooling_convention: str = "valid",
    count_include_pad: bool = True,
) -> Tensor:
    """Return the maximum or the mean of each window, or the mean of each channel (B, C, 1, 1)."""
    if global_pool:
        return x.mean((2, 3), keepdim=True)
    ceil = pooling_convention == "full"
    if pool_type == "avg":
        return F.avg_pool2d(x, kernel, stride or 1, pad or 0, ceil, count_include_pad)
    return F.max_pool2d(x, kernel, stride or 1, pad or 0, ceil_mode=ceil)


@operator(
    "Pad",
    mode=("edge",),
    pad_width=lambda value: len(value) == 8 and not any(value[:4]) and min(value) >= 0,
)
def pad(x: Tensor, *, mode: str, pad_width: tuple[int, ...]) -> Tensor:
    """Repeat the values at the edges of a map."""
    top, bottom, left, right = pad_width[4:]
    return F.pad(x, (left, right, top, bottom), "replicate")


@operator("UpSampling", scale=is_whole, sample_type=("nearest",))
def upsampling(x: Tensor, *, scale: int, sample_type: str) -> Tensor:
    """Repeat each value of a map ``scale`` times down and across."""
    return F.interpolate(x, scale_factor=scale, mode="nearest")


_ACTIVATIONS = {"relu": F.relu, "sigmoid": torch.sigmoid, "softrelu": F.softplus, "tanh": torch.tanh}


@operator("Activation", act_type=tuple(_ACTIVATIONS))
def activation(x: Tensor, *, act_type: str) -> Tensor:
    """Apply an activation to each value."""
    return _ACTIVATIONS[act_type](x)


@operator("LeakyReLU", act_type=("leaky", "elu", "prelu"), slope=is_number)
def leaky_relu(
    x: Tensor, gamma: Tensor | None = None, *, act_type: str = "leaky", slope: float = 0.25
) -> Tensor:
    """Multiply negative values by a slope (``prelu``: by their channel's), or their exponential minus one."""
    if act_type == "prelu":
        return F.prelu(x, gamma)
    return F.leaky_relu(x, slope) if act_type == "leaky" else F.elu(x, slope)


@operator("Dropout", is_layer=True, p=is_number, mode=("training",), axes=((),))
def dropout(x: Tensor, *, p: float = 0.5, mode: str = "training", axes: tuple[int, ...] = ()) -> nn.Module:
    """Return the layer that sets a share of the values to 0 in training."""
    return nn.Dropout(p)


_NORM: dict[str, Any] = {"eps": is_number, "momentum": is_number, "fix_gamma": BOOL, "use_global_stats": BOOL}


@operator("BatchNorm", is_layer=True, axis=(1,), output_mean_var=(False,), **_NORM)
def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    axis: int = 1,
    output_mean_var: bool = False,
) -> nn.Module:
    """Return the layer that normalises over the batch of one process."""
    return BatchNorm(eps, momentum, fix_gamma, use_global_stats)


# ``key`` and ``ndev`` say which of mxnet's devices share the statistics.
@operator("_contrib_SyncBatchNorm", is_layer=True, key=lambda value: True, ndev=is_whole, **_NORM)
def sync_batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    *,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    key: str = "",
    ndev: int = 1,
) -> nn.Module:
    """Return the layer that normalises over the batch of all processes."""
    return BatchNorm(eps, momentum, fix_gamma, use_global_stats, sync=True)
