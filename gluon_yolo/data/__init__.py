"""Data sets: readers that give (picture, Detections), and what training does to them; no mxnet in here."""
