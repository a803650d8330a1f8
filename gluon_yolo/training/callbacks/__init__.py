"""What happens around the training loop: one callback a file; :mod:`.built_in` lists the trainer's own."""
