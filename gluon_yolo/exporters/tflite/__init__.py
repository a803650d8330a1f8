"""Export to TensorFlow Lite (LiteRT): its operators, its file, and int8."""
