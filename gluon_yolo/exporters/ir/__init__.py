"""The intermediate representation of a network for inference: read from a symbol, folded, decoded."""
