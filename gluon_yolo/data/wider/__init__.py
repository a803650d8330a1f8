"""WIDER FACE: its folders of images and its text files, read and written."""
