"""Reports: one HTML file with charts, tables and images, which needs no network."""
