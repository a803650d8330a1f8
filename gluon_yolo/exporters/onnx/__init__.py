"""Export to ONNX: operators, files, NMS and int8."""
