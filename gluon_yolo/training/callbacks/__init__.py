"""Callbacks around the training loop, one file each; :mod:`.built_in` lists the trainer's own."""
