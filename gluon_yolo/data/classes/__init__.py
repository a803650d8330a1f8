"""Class names of a data set: read, matched, selected, renamed."""
