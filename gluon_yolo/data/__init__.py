"""Data sets: readers that give (image, Detections), and what training does to them; no mxnet in here."""
