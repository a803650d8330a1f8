"""COCO data sets."""
