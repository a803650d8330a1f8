"""Caffe's files: its messages, read and written as text and as binary, without Caffe."""
