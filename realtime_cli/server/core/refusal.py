"""What a client did wrong, on its way to becoming an ``error`` event."""

from __future__ import annotations


class Refusal(Exception):
    """A client event that cannot be obeyed; the session goes on.

    ``code`` and ``param`` as the remote service uses them; ``param`` is the path of the offending field.
    """

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def missing(param: str) -> Refusal:
    """A required field is not there."""
    return Refusal("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def unknown(param: str) -> Refusal:
    """A field that the protocol does not have."""
    return Refusal("unknown_parameter", f"Unknown parameter: '{param}'.", param)


def invalid(param: str, message: str) -> Refusal:
    """A value that does not fit."""
    return Refusal("invalid_value", f"Invalid value for '{param}': {message}", param)
