"""A Gluon block as nodes with attributes: read once, for export and for the second engine."""
