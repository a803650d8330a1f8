"""Every form of a model - runtime, format, precision - beside each other: time, size, differences, scores."""
