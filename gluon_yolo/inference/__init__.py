"""Using a trained model: images in, detections in the image's own pixels out."""
