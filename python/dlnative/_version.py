"""The version of the package: the one place that states it."""

__version__ = "0.1.0"


def version() -> str:
    """The version of the library."""
    return __version__
