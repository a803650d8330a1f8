"""Data quality: issues found while reading a data set, and by comparing all of its images."""
