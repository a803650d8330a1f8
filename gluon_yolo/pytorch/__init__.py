"""A Graph computed by PyTorch: the same values and gradients as mxnet's."""
