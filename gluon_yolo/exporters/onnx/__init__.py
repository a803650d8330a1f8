"""ONNX: its operators, its files, NMS and int8 in it."""
