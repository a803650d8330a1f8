"""Export to mxnet's symbol and parameters: traced, transformed, written."""
