"""Image files: read into pixels, whatever their kind."""
