"""Talk with a realtime voice model from a terminal."""

__version__ = "0.1.0"
