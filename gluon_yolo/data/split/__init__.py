"""Dividing a data set into splits."""
