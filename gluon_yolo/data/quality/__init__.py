"""What is wrong with a data set: found while reading, and by looking at all of it."""
