"""Ephemeral client secrets: keys that are good for a while, for clients that must not have the real one.

https://platform.openai.com/docs/api-reference/realtime-sessions/create-realtime-client-secret
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from realtime_cli.errors import ConnectionFailed
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.transport.posting import ANSWER_TIMEOUT_S, http_url, post

MIN_EXPIRY_S, MAX_EXPIRY_S = 10, 7200
"""The limits that the interface sets."""

NO_SECRETS = "few compatible servers do: give its clients a key of the server's own, or name another server"


class NoClientSecrets(ConnectionFailed):
    """The server has no such thing."""


class ClientSecret(msgspec.Struct, frozen=True):
    """What the server answered. ``value`` is a secret, and so is ``answer``, which holds it."""

    value: str
    expires_at: int | None
    """Seconds since 1970; after that no session can be started with it."""
    answer: Mapping[str, Any]


def mint(
    place: Endpoint,
    session: Mapping[str, Any],
    expires_in_s: int | None = None,
    *,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
) -> ClientSecret:
    """A client secret for sessions like ``session``. Blocks for at most half a minute. Raises ConnectionFailed."""
    body: dict[str, Any] = {"session": session}
    if expires_in_s is not None:
        body["expires_after"] = {"anchor": "created_at", "seconds": expires_in_s}
    posted = post(
        secrets_url(place),
        place.headers,
        msgspec.json.encode(body),
        answer_timeout_s=answer_timeout_s,
        broken_off=f"it may mint no client secrets; {NO_SECRETS}",
    )
    if posted.nothing_there:
        raise NoClientSecrets(f"{place.where} mints no client secrets (HTTP {posted.status})", NO_SECRETS)
    if posted.status != 200:
        raise posted.refusal(place)
    return _secret(posted.json, posted.url)


def mint_older(
    place: Endpoint, session: Mapping[str, Any], *, answer_timeout_s: float = ANSWER_TIMEOUT_S
) -> ClientSecret:
    """The same from a server of the older beta interface, whose sessions bring a secret along. Raises ConnectionFailed.

    https://platform.openai.com/docs/api-reference/realtime-sessions/create
    """
    url = f"{http_url(place)}/sessions"
    posted = post(url, place.headers, msgspec.json.encode(session), answer_timeout_s=answer_timeout_s)
    if posted.nothing_there:
        raise NoClientSecrets(f"{place.where} mints no client secrets (HTTP {posted.status})", NO_SECRETS)
    if posted.status not in (200, 201):
        raise posted.refusal(place)
    answer = posted.json
    return _secret(answer.get("client_secret") if isinstance(answer, dict) else None, url)


def secrets_url(place: Endpoint) -> str:
    """Where the server mints them: beside its Realtime endpoint."""
    return f"{http_url(place)}/client_secrets"


def _secret(answer: Any, url: str) -> ClientSecret:
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), str) or not answer["value"]:
        raise ConnectionFailed(f"{url} answered with something that is no client secret", NO_SECRETS)
    expires_at = answer.get("expires_at")
    return ClientSecret(answer["value"], expires_at if isinstance(expires_at, int) else None, answer)
