"""What the servers' error codes, close codes and HTTP statuses mean, and what the user can do about each.

OpenAI documents no list of its codes. These were gathered from captures and public reports of the live service, from
https://platform.openai.com/docs/guides/error-codes, and from the sources of compatible servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal

import msgspec

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.codec import decode
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.redaction import redact


class Severity(Enum):
    """What an ``error`` event does to the conversation."""

    FATAL = "fatal"
    """The session is over, or can never work."""
    TURN = "turn"
    """What was asked for will not come: the turn in progress has failed, if there is one."""
    NOTICE = "notice"
    """A setting was refused; the conversation goes on with the server's own."""
    BENIGN = "benign"
    """A race that every client loses now and then; nothing needs to be done or said."""


KeyState = Literal["sent", "missing", "withheld"]
"""``withheld``: there is one, and the way to the server is not private."""


class Key(msgspec.Struct, frozen=True):
    """Which variable the key belongs into, and what became of it; without a variable no key is ever sent."""

    variable: str = ""
    state: KeyState = "missing"

    @property
    def remedy(self) -> str:
        """What to do where the server wants a key, or another one."""
        if self.state == "sent":
            return f"check the API key in {self.variable}"
        if self.state == "withheld":
            return f"the key in {self.variable} was not sent, because the connection is not encrypted: use wss://"
        if self.variable:
            return f"no key was sent: set {self.variable} in the environment or in .env"
        return "no key was sent: give this server a key_variable in config.toml"


class Target(msgspec.Struct, frozen=True):
    """What was asked of whom, for messages about its refusal. ``where``: the URL without its query."""

    where: str
    key: Key = Key()
    model: str = ""
    """The model that was named; empty where none was."""


_WRONG_KEY = "{key}"
_MODEL = "name another model with --model; does the key's project have access to it?"
_NAME_MODEL = "name a model with --model"
_QUOTA = "add credit, or raise the limit of the key's project"

FATAL: Mapping[str, str] = {
    "invalid_api_key": _WRONG_KEY,
    "authentication_error": _WRONG_KEY,
    "unauthorized": _WRONG_KEY,
    "missing_model": _NAME_MODEL,
    "invalid_model": _MODEL,
    "model_not_found": _MODEL,
    "beta_api_shape_disabled": "this server has given up the beta interface: use --dialect ga",
    "session_expired": "the server ends every session after a while (OpenAI: 60 minutes): start a new one",
    "session_limit_reached": "the server serves one client at a time: close the other one",
}
"""Codes after which nothing more comes, or nothing can work; and the remedies."""

TURN: Mapping[str, str] = {
    "insufficient_quota": _QUOTA,
    "credit_balance_exhausted": _QUOTA,
    "rate_limit_exceeded": "wait a little and try again, or raise the limit of the key's project",
    "server_error": "try again",
}
"""Codes of failed turns for which there is a remedy; unknown codes count as failed turns too."""

BENIGN = frozenset(
    {
        "response_cancel_not_active",
        "conversation_already_has_active_response",
        "input_audio_buffer_commit_empty",
        "item_truncate_invalid_item_id",
        "item_delete_invalid_item_id",
        "item_retrieve_invalid_item_id",
        "item_not_found",
    }
)

_ABOUT_MODEL = re.compile(
    r"\b(?:no|unknown|invalid|unsupported) (?:such )?(?:realtime )?models?\b|\bLLM Provider NOT provided\b"
    r"|\bmodels?\b.{0,80}?\bnot (?:found|exist|supported|allowed|available|configured)\b"
    r"|\bmodels?\b.{0,80}?\b(?:doesn't exist|unknown|invalid)\b"
    r"|\b(?:not allowed to|no|not have) access (?:to )?(?:the )?model",
    re.IGNORECASE | re.DOTALL,
)
"""Words about a model that is not there: gateways (LiteLLM) tell it under codes that say nothing, such as 1011."""

_ABOUT_KEY = re.compile(
    r"\b(?:api.?keys?|key|auth\w*|unauth\w*|token|credentials?|forbidden|denied|permission)\b", re.IGNORECASE
)

_TRUNCATED_TOO_LATE = "already shorter than"
"""In the text of a truncate that asks for more than there is; its code is null in some captures."""

_DIALECTS: Mapping[tuple[str, str], Dialect] = {
    ("unknown_parameter", "session.type"): Dialect.BETA,
    ("missing_required_parameter", "session.type"): Dialect.GA,
}
"""The errors by which a server shows that it speaks another dialect: (code, param)."""

_CLOSED: Mapping[int, tuple[str, str]] = {
    1000: ("ended the session", ""),
    1001: ("is going away", "start a new session"),
    1002: ("found a fault in the connection", "check --base-url: is this a Realtime endpoint?"),
    1003: ("does not take this kind of data", "check --base-url and --dialect"),
    1008: ("refuses this client", _WRONG_KEY),
    1009: ("says a message is too big", ""),
    1011: ("failed", "try again"),
    1012: ("is restarting", "try again in a moment"),
    1013: ("is overloaded", "try again in a moment"),
    3000: ("refuses the key", _WRONG_KEY),
    4000: ("refuses the request", "check --model and --dialect"),
    4004: ("does not know the model", _MODEL),
}
"""Close codes (RFC 6455, IANA's registry; 3000 and 4xxx as OpenAI uses them): what the server does, and the remedy."""

RECOVERABLE_CLOSES = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015})
"""Close codes after which another connection may work: those of openai-python's own reconnection
(https://github.com/openai/openai-python, ``resources/realtime``), and 1014, a gateway's trouble."""

_LASTING = frozenset({"insufficient_quota", "credit_balance_exhausted", "session_limit_reached"})
"""What does not go away by itself, however the connection is closed; besides the codes of FATAL."""

SESSION_EXPIRED = "session_expired"
"""The session came to its age limit; another one may be opened."""

_REFUSED: Mapping[int, tuple[str, str]] = {
    400: ("refuses the request", "check --model and --base-url"),
    401: ("refuses the key", _WRONG_KEY),
    403: ("refuses access", _WRONG_KEY + "; does it have access to the Realtime API and to this model?"),
    404: ("has no Realtime endpoint here, or not this model", "check --base-url and --model"),
    407: ("is behind a proxy that wants a password", "put it into https_proxy"),
    426: ("wants another protocol", "check --base-url: is this a Realtime endpoint?"),
    429: ("refuses for now: too many requests, or no credit left", "wait a little, or see to the key's limits"),
}
"""HTTP statuses in answer to the handshake: what the server does, and the remedy."""


def classify(detail: ErrorDetail) -> Severity:
    """How bad an ``error`` event is, by its code and parameter alone."""
    code, param = code_of(detail), detail.param or ""
    if code in FATAL or dialect_shown_by(detail):
        return Severity.FATAL
    if code in BENIGN or _TRUNCATED_TOO_LATE in detail.message:
        return Severity.BENIGN
    if code == "cannot_update_voice" or param.startswith("session."):
        return Severity.NOTICE
    return Severity.TURN


def dialect_shown_by(detail: ErrorDetail) -> Dialect | None:
    """The dialect that the server speaks, where the error shows that it is another one than was spoken to it."""
    return _DIALECTS.get((code_of(detail), detail.param or ""))


def code_of(detail: ErrorDetail) -> str:
    """The code, or the type where that says more: some servers put the code there."""
    return detail.code or detail.type or ""


def remedy_for(code: str, param: str = "", key: Key = Key(), words: str = "") -> str:  # noqa: B008 -- frozen
    """One line about what the user can do; empty when nothing is known. ``words``: what the server says beside it."""
    dialect = _DIALECTS.get((code, param))
    if dialect is not None:
        return f"this server speaks the {dialect.value} dialect: use --dialect {dialect.value}"
    if code not in FATAL and _ABOUT_MODEL.search(words):
        return _MODEL
    return _with_key(FATAL.get(code) or TURN.get(code) or "", key)


def fatal_error(detail: ErrorDetail, key: Key = Key()) -> ConnectionFailed:  # noqa: B008 -- frozen
    """The error to end with after a FATAL event.

    The server's own words about a wrong key are left out: they repeat parts of it.
    """
    code = code_of(detail)
    if FATAL.get(code) == _WRONG_KEY and not _ABOUT_MODEL.search(detail.message):
        does = "refuses the key" if key.state == "sent" else "wants a key"
        return ConnectionFailed(f"the server {does}", remedy_for(code, key=key))
    words = detail.message.rstrip(". ") or code or "no reason given"
    remedy = _MODEL if _ABOUT_MODEL.search(words) else remedy_for(code, detail.param or "", key)
    return ConnectionFailed(f"the server refuses: {words}", remedy)


def closed(code: int | None, reason: str, target: Target) -> ConnectionFailed:
    """The error for a connection that the server closed; OpenAI's ``reason`` is ``<error.type>.<error.code>``."""
    if code is None:
        return ConnectionFailed(f"{target.where} ended the connection without a reason", "try again", recoverable=True)
    does, remedy = _CLOSED.get(code, ("closed the connection", ""))
    if remedy == _WRONG_KEY and reason and not _ABOUT_KEY.search(reason):
        remedy = ""  # it has a reason of its own, which is told
    told = f"{code} {redact(reason)}".strip()
    said = reason.rpartition(".")[2]
    return ConnectionFailed(
        f"{target.where} {does} ({told})",
        remedy_for(said, key=target.key, words=reason) or _with_key(remedy, target.key),
        recoverable=code in RECOVERABLE_CLOSES and (said == SESSION_EXPIRED or said not in {*FATAL, *_LASTING}),
    )


def refused(status: int, detail: ErrorDetail, target: Target) -> ConnectionFailed:
    """The error for a handshake that was answered with an HTTP status; ``detail`` is what the answer's body says."""
    does, remedy = _REFUSED.get(status, ("fails", "try again") if status >= 500 else ("does not open a session", ""))
    about_model = _ABOUT_MODEL.search(detail.message) is not None
    if status in (401, 403) and target.key.state != "sent":
        does, remedy = "wants a key", _WRONG_KEY
    if status in (400, 403, 404) and not target.model:
        # FastAPI answers 403 where a parameter of the URL is missing (https://github.com/fastapi/fastapi/issues/98).
        remedy = f"{_NAME_MODEL}, if this server wants one; else {remedy}"
    words = "" if status == 401 and not about_model else redact(detail.message)[:200]
    told = f"HTTP {status}, {words}" if words else f"HTTP {status}"
    return ConnectionFailed(
        f"{target.where} {does} ({told})",
        remedy_for(code_of(detail), key=target.key, words=detail.message)
        or _with_key(remedy, target.key)
        or "check --base-url: is this a Realtime endpoint?",
        recoverable=status >= 500,
    )


def detail_in(body: Any) -> ErrorDetail:
    """What the JSON body of an HTTP answer says went wrong: in OpenAI's way, or FastAPI's, or as a plain string."""
    if not isinstance(body, Mapping):
        return ErrorDetail()
    error = body.get("error", body.get("detail", body.get("message")))
    if isinstance(error, Mapping):
        return decode(ErrorDetail, error)
    return ErrorDetail(message=error if isinstance(error, str) else "")


def _with_key(remedy: str, key: Key) -> str:
    return remedy.format(key=key.remedy)
