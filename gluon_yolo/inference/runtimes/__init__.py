"""Runtimes: one file per runtime, and the choice between them."""
