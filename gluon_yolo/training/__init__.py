"""Training: config, setup, the loop with its callbacks, checkpoints and the run folder."""
