"""Batches for training: sampled, decoded and drawn by workers."""
