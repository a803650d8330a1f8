"""Export of trained models to the file formats of other programs."""
