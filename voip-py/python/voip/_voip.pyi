def version() -> str:
    """The version of the library, as in "0.1.0"."""
