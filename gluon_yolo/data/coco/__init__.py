"""COCO data sets: annotation files in JSON, and their images."""
