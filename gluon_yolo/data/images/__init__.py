"""Image files: types, decoding, orientation; every file that can be read becomes RGB pixels."""
