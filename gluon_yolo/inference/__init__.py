"""Inference with a trained model: images in, detections in the images' own pixels out."""
