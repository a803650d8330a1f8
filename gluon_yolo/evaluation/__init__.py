"""Detections against ground truth: metrics, the loop that feeds them, tables and image grids."""
