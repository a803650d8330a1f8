"""Export to ncnn: its layers, and its two files."""
