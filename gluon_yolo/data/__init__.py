"""Data sets: sources, data sets of images with annotations, augmentation and batches; without mxnet."""
