"""The machine: cores, memory, GPUs and their limits."""
