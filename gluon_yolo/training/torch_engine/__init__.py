"""The training engine of PyTorch."""
