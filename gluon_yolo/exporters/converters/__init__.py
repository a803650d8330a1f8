"""Formats that another program's converter makes of our ONNX file."""
