"""What runs a model: one file per runtime, and the choice between them."""
