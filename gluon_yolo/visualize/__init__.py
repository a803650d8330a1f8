"""Pictures for people: grids of images, and curves of a training."""
