"""Class names of a data set: read, compare, select and rename them."""
