"""Lists of keras-yolo3 and pytorch-YOLOv4: a picture and its boxes on each line."""
