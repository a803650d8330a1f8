"""Int8: calibrated on images, with layers in float where accuracy needs them."""
