"""Which inputs a Keras classifier is unsure about, and how far that doubt can be trusted."""

__version__ = "0.1.0"
