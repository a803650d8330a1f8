"""Backbones: feature extractors. Each has the channels and strides of its maps as attributes."""
