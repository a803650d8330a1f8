"""Weights files, ours and other programs', read into networks."""
