"""The page and how it reaches this process: routes that only who knows the address's token finds.

The doors: loopback alone, the token in the path, ``Host`` and ``Origin`` of this machine, and a
Content-Security-Policy that lets the page load nothing but its own files and reach nothing but this process. The sound
of a call goes straight from the browser to the voice server; no key is ever in the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from realtime_cli.errors import RealtimeError
from realtime_cli.server.core.checks import Refusal
from realtime_cli.server.socket.admission import Policy
from realtime_cli.server.socket.client_secrets import KeyMaker
from realtime_cli.server.socket.http_routes import Answer, HttpRequest, Route, Site, error
from realtime_cli.web.page_calls import PageCalls
from realtime_cli.web.page_channel import Told

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; media-src 'self' blob: mediastream:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

B = TypeVar("B", bound=msgspec.Struct)


class _Offer(msgspec.Struct, frozen=True):
    sdp: str


class _Asked(msgspec.Struct, frozen=True):
    call: str
    after: int


def page_routes(token: str, calls: PageCalls) -> Mapping[tuple[str, str], Route]:
    """The routes below ``/token/``. Reads the page's files."""
    # Whatever token the server itself asks for, a page is let in by its name and the address it came from.
    door = Policy(None, KeyMaker(None))

    def file(name: str) -> Route:
        content = (files("realtime_cli.web") / "page" / name).read_bytes()

        def read(_site: Site, request: HttpRequest) -> Answer:
            door.check_page(request.asked)
            return Answer(200, content, _TYPES[name], _HEADERS)

        return read

    def start(_site: Site, request: HttpRequest) -> Answer:
        door.check_page(request.asked)
        offer = _read(request, _Offer)
        try:
            return _json(calls.start(offer.sdp))
        except RealtimeError as problem:
            return error(502, "server_error", None, str(problem))

    def news(_site: Site, request: HttpRequest) -> Answer:
        door.check_page(request.asked)
        asked = _read(request, _Asked)
        found = calls.news(asked.call, asked.after)
        return _json(found) if found else error(404, "invalid_request_error", None, "There is no such call.")

    def tell(_site: Site, request: HttpRequest) -> Answer:
        door.check_page(request.asked)
        calls.take(_read(request, Told))
        return Answer(204, b"", headers=_HEADERS)

    below = f"/{token}/"
    return {
        ("GET", below): file("index.html"),
        ("GET", f"{below}page.js"): file("page.js"),
        ("GET", f"{below}page.css"): file("page.css"),
        ("POST", f"{below}start"): start,
        ("POST", f"{below}news"): news,
        ("POST", f"{below}tell"): tell,
    }


def _read(request: HttpRequest, kind: type[B]) -> B:
    """The request's body. Raises Refusal."""
    try:
        return msgspec.json.decode(request.body, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        raise Refusal("invalid_value", "The body is not what the page sends.") from None


def _json(body: Any) -> Answer:
    return Answer(200, msgspec.json.encode(body), headers=_HEADERS)
