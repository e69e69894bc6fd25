"""Who may come in, decided from what a request says of itself. Pure: no socket, no clock.

A server on this machine that asks for no key is within reach of every web page that its user opens: a browser lets a
page open WebSockets to any address, and send simple requests. So the page's origin must be this machine, and the name
that it called the server by, too (https://en.wikipedia.org/wiki/DNS_rebinding). Where a key is asked for, that decides.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import msgspec

from realtime_cli.server.core.session_fields import SessionType
from realtime_cli.server.socket.client_secrets import PREFIX, BadKey, Grant, KeyMaker

REALTIME = "realtime"
"""The subprotocol."""

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""A subprotocol whose rest is the key: browsers can set no headers."""

BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
BETA_HEADER = "realtime=v1"
"""In ``OpenAI-Beta``: the client speaks the older shape."""

MOST_MODEL_CHARS = 256

WRONG_KEY_CODE, WRONG_REQUEST_CODE, BUSY_CODE = 3000, 4000, 1013
"""Close codes: of the remote service for a wrong key and a wrong request; "try again later" for no room (IANA)."""


class Asked(msgspec.Struct, frozen=True):
    """A request."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """By name in lower case; repeated ones joined by commas."""

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.target).path

    def query(self, name: str) -> str | None:
        """A parameter of the address; the first, if it is there several times."""
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True).get(name)
        return found[0] if found else None

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """Those that a WebSocket client offers."""
        offered = self.headers.get("sec-websocket-protocol", "").split(",")
        return tuple(name.strip() for name in offered if name.strip())

    @property
    def wants_websocket(self) -> bool:
        """It asks to become a WebSocket (RFC 6455, 4.1)."""
        return self.method == "GET" and self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def speaks_beta(self) -> bool:
        """It knows only the interface before August 2025."""
        return BETA_HEADER in self.headers.get("openai-beta", "") or BETA_SUBPROTOCOL in self.subprotocols

    @property
    def key(self) -> str | None:
        """The key that it brings."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and key.strip():
            return key.strip()
        if "api-key" in self.headers:
            return self.headers["api-key"]
        named = (name for name in self.subprotocols if name.startswith(KEY_SUBPROTOCOL))
        return next((name.removeprefix(KEY_SUBPROTOCOL) for name in named), None)


class NotAllowed(Exception):
    """A request that is not obeyed: an HTTP status, or the close code of a WebSocket, and the error's code."""

    def __init__(self, status: int, close_code: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.close_code = close_code
        self.code = code
        self.message = message


class Limits(msgspec.Struct, frozen=True):
    """What a server gives."""

    sessions: int = 8
    """At a time."""
    session_minutes: float = 60.0
    """As long as the remote service's."""
    idle_minutes: float = 15.0
    """A session in which the client sends nothing ends."""


class Wanted(msgspec.Struct, frozen=True):
    """The session that a client asks for."""

    model: str | None
    kind: SessionType
    grant: Grant | None
    """What its ephemeral key says of it."""


class Policy(msgspec.Struct, frozen=True):
    """Whom a server takes."""

    token: str | None
    """The key that it asks for; None only on loopback."""
    keys: KeyMaker
    allowed_origins: tuple[str, ...] = ()
    """Of web pages that may use it without a key, besides those of this machine."""

    def check_page(self, asked: Asked) -> str | None:
        """Refuse web pages of others, and names that are not this machine's. Returns the page's origin if it may know
        the answer. Raises NotAllowed."""
        origin = asked.headers.get("origin")
        if self.token is not None:
            return origin
        host = asked.headers.get("host", "")
        if not is_this_machine(host):
            raise NotAllowed(403, WRONG_REQUEST_CODE, "host_not_allowed", "This server is not known by that name.")
        if origin is None or origin in self.allowed_origins or is_this_machine(urlsplit(origin).netloc):
            return origin
        raise NotAllowed(
            403, WRONG_REQUEST_CODE, "origin_not_allowed", "Web pages of other places may not use this server."
        )

    def check_key(self, asked: Asked, now: float, *, ephemeral: bool = True) -> Grant | None:
        """Refuse wrong keys; returns what an ephemeral one says. ``ephemeral``: those will do. Raises NotAllowed.

        Without a token any key will do, as clients must send one, but an ephemeral one has to be good all the same.
        """
        key = asked.key
        if key is not None and key.startswith(PREFIX) and ephemeral:
            try:
                return self.keys.read(key, now)
            except BadKey:
                raise wrong_key("The ephemeral key has expired, or was not made by this server.") from None
        if self.token is not None and not hmac.compare_digest((key or "").encode(), self.token.encode()):
            raise wrong_key("Incorrect API key provided." if key else "You did not provide an API key.")
        return None

    def session(self, asked: Asked, now: float) -> Wanted:
        """The session that a WebSocket is opened for. Raises NotAllowed."""
        grant = self.check_key(asked, now)
        model = asked.query("model")
        if model is not None and not 0 < len(model) <= MOST_MODEL_CHARS:
            raise _wrong_request("invalid_model", f"The model's name has to have 1 to {MOST_MODEL_CHARS} characters.")
        intent = asked.query("intent") or "conversation"
        if intent not in ("conversation", "transcription"):
            raise _wrong_request("invalid_value", "intent is either conversation or transcription.")
        kind: SessionType = "transcription" if intent == "transcription" else "realtime"
        if grant is not None:
            kind, model = grant.kind, grant.model or model
        return Wanted(model, kind, grant)


def wrong_key(message: str) -> NotAllowed:
    """As the remote service answers a wrong key."""
    return NotAllowed(401, WRONG_KEY_CODE, "invalid_api_key", message)


def no_room(most: int) -> NotAllowed:
    """All places are taken."""
    sessions = "1 session" if most == 1 else f"{most} sessions"
    return NotAllowed(
        503, BUSY_CODE, "session_limit_reached", f"This server holds {sessions} at a time, and has no place free."
    )


def is_this_machine(netloc: str) -> bool:
    """Whether ``host`` or ``host:port`` is a name or an address of loopback."""
    try:
        host = urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong_request(code: str, message: str) -> NotAllowed:
    return NotAllowed(400, WRONG_REQUEST_CODE, code, message)
