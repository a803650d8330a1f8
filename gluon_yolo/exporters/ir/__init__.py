"""A network for inference as nodes and weights: read from a symbol, folded, decoded."""
