"""The public Python functions, one file for each command; ``import gluon_yolo`` offers them."""
