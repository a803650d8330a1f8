"""YOLO data sets: darknet's text labels, their lists, .data files and data.yaml."""
