"""Lists of keras-yolo3 and pytorch-YOLOv4: an image and its boxes on each line."""
