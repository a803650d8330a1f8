"""Export to BVLC's Caffe: its layers, and its two files."""
