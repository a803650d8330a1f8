"""Boxes and their labels drawn on images."""
