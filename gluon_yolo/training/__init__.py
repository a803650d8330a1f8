"""Training and its parts: schedule, devices, checkpoints, the run's folder, evaluation."""
