"""Weights files of this package and of other programs, read into networks."""
