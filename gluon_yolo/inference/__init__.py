"""Using a trained model: pictures in, detections in the picture's own pixels out."""
