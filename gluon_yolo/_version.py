"""The version of the package, which the build and the package itself read."""

__version__ = "0.2.0"
