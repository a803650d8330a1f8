"""Fold batch norms into the convolutions before them, for inference."""

from __future__ import annotations

from gluon_yolo.pytorch.batch_norm import BatchNorm
from gluon_yolo.pytorch.operators.layers import convolution
from gluon_yolo.torch_compat import Tensor, fx, nn, torch


@torch.no_grad()
def fold_norms(module: fx.GraphModule) -> None:
    """Replace each convolution and the batch norm behind it by one convolution with a bias.

    The module then has the same values as before in inference mode, in two thirds of its steps; it cannot be
    trained any more. A convolution that something else reads too stays as it is.

    Args:
        module: of :func:`gluon_yolo.pytorch.module.graph_module`; changed in place.
    """
    for node in list(module.graph.nodes):
        norm = module.get_submodule(node.target) if node.op == "call_module" else None
        before = node.args[0] if node.args else None
        if not isinstance(norm, BatchNorm) or not isinstance(before, fx.Node):
            continue
        if before.target is convolution and len(before.users) == 1:
            _fold(module, node, before, norm)
    module.graph.owning_module = module  # for what looks whether layers are dead
    module.graph.eliminate_dead_code()
    module.graph.owning_module = None
    module.delete_all_unused_submodules()
    module.recompile()


def _fold(module: fx.GraphModule, node: fx.Node, before: fx.Node, norm: BatchNorm) -> None:
    """Put one convolution in the place of a batch norm and the convolution before it."""
    x, *arrays = before.args
    weight, *bias = (_value(module, array.target).double() for array in arrays)
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if not norm.fix_gamma:
        scale = scale * norm.gamma.double()
    own = bias[0] if bias else torch.zeros_like(scale)
    shift = (own - norm.running_mean.double()) * scale + norm.beta.double()
    place = f"folded{len(module._modules)}"
    folded, dtype = nn.Module(), norm.beta.dtype
    folded.register_buffer("weight", (weight * scale[:, None, None, None]).to(dtype))
    folded.register_buffer("bias", shift.to(dtype))
    module.add_submodule(place, folded)
    with module.graph.inserting_before(node):
        names = [module.graph.get_attr(f"{place}.{name}") for name in ("weight", "bias")]
        result = module.graph.call_function(convolution, (x, *names), {**before.kwargs, "no_bias": False})
    node.replace_all_uses_with(result)
    module.graph.erase_node(node)


def _value(module: fx.GraphModule, name: str) -> Tensor:
    """Return a parameter or buffer by its place."""
    path, _, last = name.rpartition(".")
    return getattr(module.get_submodule(path), last)
