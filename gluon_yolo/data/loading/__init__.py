"""Training batches: workers decode, augment and assign targets ahead of their use."""
