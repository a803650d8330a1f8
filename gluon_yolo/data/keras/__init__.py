"""keras-yolo3 data sets (also pytorch-YOLOv4's): lists with an image and its boxes on each line."""
