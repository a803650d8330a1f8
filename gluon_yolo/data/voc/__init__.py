"""Pascal VOC data sets."""
