"""Formats that another program's converter makes from this package's ONNX file."""
