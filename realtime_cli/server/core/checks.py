"""Checks of single values in client events: each takes a value and the path of its field, and returns what to keep.

All raise :class:`Refusal` with the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from realtime_cli.protocol.items import ErrorDetail

Check: TypeAlias = Callable[[Any, str], Any]
Fields: TypeAlias = Mapping[str, Check]

MAX_INTEGER = 2**31 - 1
"""Every number of the protocol counts ms, tokens or positions: larger ones are mistakes."""


class Refusal(Exception):
    """A client event that cannot be obeyed; the session goes on.

    ``code`` and ``param`` as the remote service uses them; ``param`` is the path of the offending field.
    """

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def to_error(self, event_id: str | None = None) -> ErrorDetail:
        """As the ``error`` event has it; ``event_id`` is what the client called its event."""
        return ErrorDetail(
            type="invalid_request_error",
            code=self.code,
            message=self.message,
            param=self.param,
            event_id=event_id,
        )


def missing(param: str) -> Refusal:
    """A required field is not there."""
    return Refusal("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def unknown(param: str) -> Refusal:
    """A field that the protocol does not have."""
    return Refusal("unknown_parameter", f"Unknown parameter: '{param}'.", param)


def invalid(param: str, message: str) -> Refusal:
    """A value that does not fit."""
    return Refusal("invalid_value", f"Invalid value for '{param}': {message}", param)


def string(value: Any, path: str) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise invalid(path, "expected a string.")
    return value


def boolean(value: Any, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise invalid(path, "expected a boolean.")
    return value


def anything(value: Any, path: str) -> Any:  # noqa: ARG001 -- the shape of a check
    """A field that is kept and shown, but that nothing here depends on."""
    return value


def one_of(*names: str) -> Check:
    """One of these strings."""

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in names:
            raise invalid(path, f"{value!r:.80}. Supported values are: {', '.join(repr(name) for name in names)}.")
        return value

    return check


def integer(low: int, high: int = MAX_INTEGER) -> Check:
    """A whole number in a range, both ends included."""

    def check(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid(path, "expected an integer.")
        _bounds("integer", value, low, high, path)
        return value

    return check


def decimal(low: float, high: float) -> Check:
    """A number in a range, both ends included."""

    def check(value: Any, path: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise invalid(path, "expected a number.")
        _bounds("decimal", value, low, high, path)
        return float(value)

    return check


def nullable(check: Check) -> Check:
    """The same, or null."""
    return lambda value, path: None if value is None else check(value, path)


def text_or_record(text: Check, fields: Check) -> Check:
    """A string that passes ``text``, or an object that passes ``fields``."""
    return lambda value, path: fields(value, path) if isinstance(value, Mapping) else text(value, path)


def list_of(check: Check) -> Check:
    """A list whose every element passes."""

    def check_list(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid(path, "expected an array.")
        return [check(inner, f"{path}[{index}]") for index, inner in enumerate(value)]

    return check_list


def map_of(check: Check) -> Check:
    """An object with any keys, whose every value passes."""

    def check_map(value: Any, path: str) -> dict[str, Any]:
        return {name: check(inner, f"{path}.{name}") for name, inner in mapping(value, path).items()}

    return check_map


def record(fields: Fields, required: tuple[str, ...] = ()) -> Check:
    """An object that has only these fields."""

    def check(value: Any, path: str) -> dict[str, Any]:
        given = mapping(value, path)
        for name in required:
            if name not in given:
                raise missing(f"{path}.{name}")
        return {name: known(fields, name, path)(inner, f"{path}.{name}") for name, inner in given.items()}

    return check


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, Mapping):
        raise invalid(path, "expected an object.")
    return value


def known(fields: Fields, name: str, path: str) -> Check:
    """The check of a field, refused when there is no such field."""
    if name not in fields:
        raise unknown(f"{path}.{name}")
    return fields[name]


def _bounds(kind: str, value: float, low: float, high: float, path: str) -> None:
    if value < low:
        raise Refusal(f"{kind}_below_min_value", f"Invalid '{path}': expected >= {low}, but got {value}.", path)
    if value > high:
        raise Refusal(f"{kind}_above_max_value", f"Invalid '{path}': expected <= {high}, but got {value}.", path)
