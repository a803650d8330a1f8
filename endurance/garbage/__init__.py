"""Damaged files: real ones, changed at random, given to the commands that read them."""
