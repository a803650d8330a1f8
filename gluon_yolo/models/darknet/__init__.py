"""Darknet networks, built from their ``.cfg`` files.

``cfg`` parses the text into sections, ``plan`` turns sections into layers (without mxnet), ``network`` builds
the block, and ``keys`` lists the known keys. Darknet weights are read and written in ``gluon_yolo.weights``.
"""
