"""Darknet: networks by their ``.cfg``, weights from and to ``.weights``.

``cfg`` reads the text into sections, ``plan`` says what layers they are (NumPy side, no mxnet), ``weights``
reads and writes the numbers by that plan, ``network`` builds the block. ``keys`` says which keys matter.
"""
