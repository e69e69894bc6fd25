"""Keys never reach a screen, a log or a file, not even those that a server repeats in its messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from realtime_cli.protocol.codec import JsonObject

HIDDEN = "[hidden]"

_KEYS = re.compile(r"\b(?:sk|ek|rk|xai)[-_][\w*.-]{6,}")
"""API keys and ephemeral secrets of OpenAI, and keys of xAI; servers repeat them with some characters starred."""

_URL_USER = re.compile(r"(^|//)[^\s/@]*@")

_SECRET_ARGUMENTS = re.compile(
    r"""([\w-]*(?:key|token|secret|passw|auth|credential|bearer)[\w-]*(?:\s*[=:]\s*|\s+)(?:bearer\s+|basic\s+)?)"""
    r"""("[^"]*"|'[^']*'|[^\s"']+)""",
    re.IGNORECASE,
)
"""``--api-key x``, ``GITHUB_TOKEN=x``, ``--header "Authorization: x"``: in a command, what follows such a name."""

_SECRET_FIELDS = re.compile(
    r'"(client_secret|authorization|api_key|headers)"\s*:\s*(?:"(?:[^"\\]|\\.)*"|\{[^{}]*\})', re.IGNORECASE
)
"""JSON fields of the session and its MCP tools whose whole value is secret."""

_SERVER_URLS = re.compile(r'("server_url"\s*:\s*")([^"]*)')
"""Of MCP servers: some take their key in the query."""

_CONVERSATION = frozenset(("audio", "delta", "text", "transcript", "arguments", "output", "image_url"))
"""Fields that hold what was said, or sound: they may be long, and are the user's to see as they are."""

_PAYLOADS = re.compile(r'"(audio|delta|image_url)"\s*:\s*"([\w+/=:;,-]{200,})"')
"""Base64 too long to read. A written delta has spaces, or is shorter."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` with everything that looks like a key hidden, and each of ``secrets`` too."""
    return _KEYS.sub(HIDDEN, hide(text, secrets))


def hide(text: str, secrets: Iterable[str]) -> str:
    """``text`` without ``secrets``, whatever they look like; also as JSON may spell them, with escapes."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
        if "\\" in text:
            text = _in_json(secret).sub(HIDDEN, text)
    return text


@lru_cache(maxsize=8)
def _in_json(secret: str) -> re.Pattern[str]:
    """Each character as itself, as ``\\u002f``, or as ``\\/`` (RFC 8259, section 7; PHP writes every slash so)."""
    after = {each: r"\\" * (each in '"\\') + r"\\?" * (each == "/") for each in secret}
    ways = (rf"(?:{after[each]}{re.escape(each)}|\\u(?i:{ord(each):04x}))" for each in secret)
    return re.compile("".join(ways))


def without_keys(body: JsonObject) -> dict[str, Any]:
    """A server's event with what looks like a key hidden in all that is not the conversation itself.

    Servers repeat keys in messages wherever an error may stand: in ``error``, in a response's ``status_details``.
    """
    return {name: _without_keys(value, name) for name, value in body.items()}


def _without_keys(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value if name in _CONVERSATION else redact(value)
    if isinstance(value, Mapping):
        return without_keys(value)
    if isinstance(value, list):
        return [_without_keys(inner, name) for inner in value]
    return value


def redact_users(text: str) -> str:
    """``text`` without the names and passwords in its URLs, such as a proxy's."""
    return _URL_USER.sub(rf"\1{HIDDEN}@", text) if "//" in text else text


def redact_url(url: str) -> str:
    """``url`` without what may be a secret: a user's name and password, and the whole query."""
    where, mark, _ = url.partition("?")
    return redact(_URL_USER.sub(rf"\1{HIDDEN}@", where)) + (f"?{HIDDEN}" if mark else "")


def redact_command(command: str) -> str:
    """``command`` without what its arguments tell in confidence; rather a word too many than one too few."""
    return redact_url(_SECRET_ARGUMENTS.sub(rf"\1{HIDDEN}", command))


def loggable(message: str, secrets: Iterable[str] = ()) -> str:
    """A wire message fit for a log: secrets hidden, audio and images replaced by their length."""
    shortened = _PAYLOADS.sub(lambda found: f'"{found[1]}":"<{len(found[2])} characters>"', message)
    hidden = _SERVER_URLS.sub(lambda found: found[1] + redact_url(found[2]), shortened)
    return redact(_SECRET_FIELDS.sub(rf'"\1":"{HIDDEN}"', hidden), secrets)
