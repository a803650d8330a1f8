"""Int8 quantization: calibrated on images, with layers in float where accuracy needs it."""
