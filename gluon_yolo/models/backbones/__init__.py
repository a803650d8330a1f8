"""Feature extractors; each publishes the channels and strides of the maps it returns."""
