"""mxnet's symbol and parameters: traced, rewritten, written."""
