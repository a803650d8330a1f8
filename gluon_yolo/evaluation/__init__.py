"""Evaluation of detections against ground truth: metrics, the evaluation loop, tables and image grids."""
