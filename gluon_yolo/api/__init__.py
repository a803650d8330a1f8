"""The package in Python: a function for each command, one file each; ``import gluon_yolo`` offers them."""
