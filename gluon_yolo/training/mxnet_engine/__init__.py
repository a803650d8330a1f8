"""The training engine of mxnet."""
