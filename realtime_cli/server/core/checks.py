"""Checks of single values in client events: each takes a value and the path of its field, and returns what to keep.

All raise :class:`~realtime_cli.server.core.refusal.Refusal` with the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from realtime_cli.server.core.refusal import Refusal, invalid, missing, unknown

Check: TypeAlias = Callable[[Any, str], Any]
Fields: TypeAlias = Mapping[str, Check]

MAX_OUTPUT_TOKENS = 4096
"""The documented bound of ``max_output_tokens``."""

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512
"""The documented bounds of ``metadata``."""


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
            raise invalid(path, f"{value!r}. Supported values are: {', '.join(repr(name) for name in names)}.")
        return value

    return check


def integer(low: int, high: int | None = None) -> Check:
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


def list_of(check: Check) -> Check:
    """A list whose every element passes."""

    def check_list(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid(path, "expected an array.")
        return [check(inner, f"{path}[{index}]") for index, inner in enumerate(value)]

    return check_list


def record(fields: Fields, required: tuple[str, ...] = ()) -> Check:
    """An object that has only these fields."""

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise invalid(path, "expected an object.")
        for name in required:
            if name not in value:
                raise missing(f"{path}.{name}")
        return {name: known(fields, name, path)(inner, f"{path}.{name}") for name, inner in value.items()}

    return check


def known(fields: Fields, name: str, path: str) -> Check:
    """The check of a field, refused when there is no such field."""
    if name not in fields:
        raise unknown(f"{path}.{name}")
    return fields[name]


def modalities(value: Any, path: str) -> list[str]:
    """``["audio"]`` or ``["text"]``; audio always brings its transcript, so both together are refused."""
    if value not in (["audio"], ["text"]):
        raise invalid(path, f"{value!r}. Supported combinations are: ['audio'] and ['text'].")
    return list(value)


def output_tokens(value: Any, path: str) -> int | str:
    """A number of tokens, or ``"inf"``."""
    if value == "inf":
        return "inf"
    return int(integer(1, MAX_OUTPUT_TOKENS)(value, path))


def metadata(value: Any, path: str) -> dict[str, str]:
    """Up to sixteen short strings by name."""
    if not isinstance(value, Mapping):
        raise invalid(path, "expected an object.")
    if len(value) > METADATA_PAIRS:
        raise invalid(path, f"at most {METADATA_PAIRS} pairs.")
    for key, text in value.items():
        if len(key) > METADATA_KEY or len(string(text, f"{path}.{key}")) > METADATA_VALUE:
            raise invalid(f"{path}.{key}", f"keys up to {METADATA_KEY}, values up to {METADATA_VALUE} characters.")
    return dict(value)


def audio_format(value: Any, path: str) -> dict[str, Any]:
    """``{"type": "audio/pcm", "rate": 24000}``, ``{"type": "audio/pcmu"}`` or ``{"type": "audio/pcma"}``."""
    kind = record({"type": one_of("audio/pcm", "audio/pcmu", "audio/pcma"), "rate": anything}, ("type",))(value, path)
    if kind["type"] != "audio/pcm":
        return {"type": kind["type"]}
    if kind.get("rate", 24000) != 24000:
        raise invalid(f"{path}.rate", "the only rate of audio/pcm is 24000.")
    return {"type": "audio/pcm", "rate": 24000}


def voice(value: Any, path: str) -> Any:
    """A voice's name, or ``{"id": …}`` of a custom one."""
    return value if isinstance(value, str) else record({"id": string}, ("id",))(value, path)


def tool(value: Any, path: str) -> dict[str, Any]:
    """A function or MCP tool. The embedded model calls none, so only their outline is checked."""
    if not isinstance(value, Mapping):
        raise invalid(path, "expected an object.")
    kind = one_of("function", "mcp")(value.get("type"), f"{path}.type")
    needed = "name" if kind == "function" else "server_label"
    if needed not in value:
        raise missing(f"{path}.{needed}")
    return dict(value)


def tool_choice(value: Any, path: str) -> Any:
    """``none``, ``auto``, ``required``, or an object that names one tool."""
    if isinstance(value, Mapping):
        one_of("function", "mcp")(value.get("type"), f"{path}.type")
        return dict(value)
    return one_of("none", "auto", "required")(value, path)


def _bounds(kind: str, value: float, low: float, high: float | None, path: str) -> None:
    if value < low:
        raise Refusal(f"{kind}_below_min_value", f"Invalid '{path}': expected >= {low}, but got {value}.", path)
    if high is not None and value > high:
        raise Refusal(f"{kind}_above_max_value", f"Invalid '{path}': expected <= {high}, but got {value}.", path)
