"""Pascal VOC data sets: XML annotations, lists of splits, and their folders."""
