"""One HTTP request to a Realtime server.

urllib3 is the client because it brings nothing else along, verifies certificates as the websocket does, and has a limit
for every wait.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3

from realtime_cli.errors import ConnectionFailed
from realtime_cli.network import http_pool
from realtime_cli.protocol.error_codes import detail_in, refused
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.providers.endpoint import Endpoint

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 20.0
"""An answer takes less than a second."""

MAX_ANSWER_BYTES = 1_000_000
"""An answer repeats the session: its instructions and tools."""

_NO_SUCH_PLACE = frozenset({404, 405, 426, 501})
"""How servers answer that serve websockets only, or not this."""


class _TooSlow(Exception):
    """An answer that does not come to its end."""


class Posted(msgspec.Struct, frozen=True):
    """What was answered."""

    url: str
    status: int
    body: bytes
    location: str
    """The header; empty without one."""

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return None

    @property
    def detail(self) -> ErrorDetail:
        """What it says went wrong."""
        return detail_in(self.json)

    @property
    def nothing_there(self) -> bool:
        """Whether the server has no such thing at all; a 404 with a code is about something else, such as the model."""
        return self.status in _NO_SUCH_PLACE and not self.detail.code

    def refusal(self, place: Endpoint) -> ConnectionFailed:
        """Why it was refused, in words."""
        return refused(self.status, self.detail, msgspec.structs.replace(place.target, where=self.url))


def http_url(place: Endpoint) -> str:
    """The Realtime endpoint, which other resources lie beside, as HTTP has it."""
    scheme, _, rest = place.where.partition("://")
    return f"{'https' if scheme == 'wss' else 'http'}://{rest}"


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    content_type: str = "application/json",
    *,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
    broken_off: str = "check --base-url and the network",
) -> Posted:
    """Post; a redirection is not followed, as the key is for this host only. Blocks for at most half a minute.

    ``broken_off``: what to do where the server ends the connection without an answer. Raises ConnectionFailed.
    """
    host = urlsplit(url).hostname or ""
    try:
        with http_pool(url) as pool:
            response = pool.request(
                "POST",
                url,
                headers={**headers, "Content-Type": content_type},
                body=body,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=answer_timeout_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            with response:
                location = response.headers.get("Location", "")
                return Posted(url, response.status, _body(response, time.monotonic() + answer_timeout_s), location)
    except urllib3.exceptions.SSLError as error:
        raise ConnectionFailed(
            f"{host} fails the TLS handshake ({error})", "for an authority of your own set SSL_CERT_FILE"
        ) from error
    except urllib3.exceptions.NameResolutionError as error:
        raise ConnectionFailed(f"the name {host} is unknown", "check --base-url and the network") from error
    except urllib3.exceptions.NewConnectionError as error:
        raise ConnectionFailed(f"{host} refuses the connection", "is the server running? check --base-url") from error
    except (urllib3.exceptions.TimeoutError, _TooSlow) as error:
        raise ConnectionFailed(f"{host} does not answer", "check --base-url and the network") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ConnectionFailed(f"{host} breaks off the connection", broken_off) from error


def _body(response: urllib3.BaseHTTPResponse, until_s: float) -> bytes:
    """What is answered, as far as it is read: each wait has its limit, but there may be one for every byte."""
    body = bytearray()
    while len(body) < MAX_ANSWER_BYTES and (part := response.read1(MAX_ANSWER_BYTES - len(body))):
        body += part
        if time.monotonic() > until_s:
            raise _TooSlow
    return bytes(body)
