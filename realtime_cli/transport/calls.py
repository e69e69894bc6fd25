"""Calls by WebRTC, made for a browser: its offer goes to the server, and the answer comes back.

The server's key never leaves this process: the call is made with an ephemeral secret, which is good for it alone, or
with the key itself where a server mints none. A server of the older interface takes the offer at another place, and
speaks the beta dialect (https://platform.openai.com/docs/guides/realtime-webrtc).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import msgspec
from urllib3.filepost import encode_multipart_formdata

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.transport.client_secrets import NoClientSecrets, mint, mint_older
from realtime_cli.transport.posting import ANSWER_TIMEOUT_S, Posted, http_url, post

SECRET_S = 60
"""How long the call may take to be made with the secret."""

SDP = "application/sdp"

_CALL_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)


class Answer(msgspec.Struct, frozen=True):
    """A call that the server takes."""

    sdp: str
    call_id: str
    """By which it can be joined from the side; empty where the server does not say."""
    dialect: Dialect
    configured: bool
    """The session is as it was asked for; else that is still to be said."""


def place_call(
    place: Endpoint,
    sessions: Mapping[Dialect, Mapping[str, Any]],
    sdp: str,
    *,
    mints: bool = True,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
) -> Answer:
    """Offer a call. ``sessions``: what the session is to be, in the GA's and the beta's shape; ``mints``: whether the
    server may have ephemeral secrets. Blocks for the network. Raises ConnectionFailed.
    """
    calling = _Calling(place, sessions, sdp, answer_timeout_s)
    if mints and place.dialect is not Dialect.BETA:
        with suppress(NoClientSecrets):
            return calling.with_secret()
    if mints:
        with suppress(NoClientSecrets):
            return calling.with_older_secret()
    return calling.with_key()


class _Calling:
    def __init__(
        self, place: Endpoint, sessions: Mapping[Dialect, Mapping[str, Any]], sdp: str, timeout_s: float
    ) -> None:
        self._place = place
        self._sessions = sessions
        self._sdp = sdp.encode()
        self._timeout_s = timeout_s
        self._calls_url = f"{http_url(place)}/calls"
        query = urlencode({"model": place.model}) if place.model else ""
        self._older_url = f"{http_url(place)}?{query}" if query else http_url(place)

    def with_secret(self) -> Answer:
        secret = mint(self._place, self._sessions[Dialect.GA], SECRET_S, answer_timeout_s=self._timeout_s)
        return self._answer(self._offer(self._calls_url, _bearer(secret.value)), Dialect.GA, configured=True)

    def with_older_secret(self) -> Answer:
        session = {**self._sessions[Dialect.BETA], **({"model": self._place.model} if self._place.model else {})}
        secret = mint_older(self._place, session, answer_timeout_s=self._timeout_s)
        return self._answer(self._offer(self._older_url, _bearer(secret.value)), Dialect.BETA, configured=True)

    def with_key(self) -> Answer:
        """Both at once, in a form; or the offer alone, where that is not taken."""
        if self._place.dialect is not Dialect.BETA:
            session = msgspec.json.encode(self._sessions[Dialect.GA])
            body, content_type = encode_multipart_formdata({"sdp": self._sdp, "session": session})
            posted = post(self._calls_url, self._place.headers, body, content_type, answer_timeout_s=self._timeout_s)
            if not posted.nothing_there:
                return self._answer(posted, Dialect.GA, configured=True)
        posted = self._offer(self._older_url, self._place.headers)
        return self._answer(posted, self._place.dialect, configured=False)

    def _offer(self, url: str, headers: Mapping[str, str]) -> Posted:
        return post(url, headers, self._sdp, SDP, answer_timeout_s=self._timeout_s)

    def _answer(self, posted: Posted, dialect: Dialect, *, configured: bool) -> Answer:
        where = self._place.where
        if posted.nothing_there:
            raise ConnectionFailed(
                f"{where} takes no calls by WebRTC (HTTP {posted.status})", "talk in the terminal: realtime-cli chat"
            )
        if posted.status not in (200, 201):
            raise posted.refusal(self._place)
        sdp = posted.body.decode("utf-8", "replace")
        if not sdp.lstrip().startswith("v=0") or "m=" not in sdp:
            remedy = "is this a Realtime endpoint? check --base-url"
            raise ConnectionFailed(f"{where} answered the call with something that is no answer to it", remedy)
        name = posted.location.partition("?")[0].rstrip("/").rpartition("/")[2]
        return Answer(sdp, name if _CALL_ID.fullmatch(name) else "", dialect, configured)


def _bearer(secret: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {secret}"}
