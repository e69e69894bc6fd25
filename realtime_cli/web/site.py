"""The page and where it calls: routes that only who knows the address's token finds.

The doors: loopback alone, the token in the path, ``Host`` and ``Origin`` of this machine, and a
Content-Security-Policy that lets the page load nothing but its own files and reach nothing but the voice server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from realtime_cli.errors import ConfigError, ConnectionFailed, InputError
from realtime_cli.server.socket.admission import Policy
from realtime_cli.server.socket.client_secrets import KeyMaker
from realtime_cli.server.socket.http_routes import Answer, HttpRequest, Route, Site, error
from realtime_cli.web.keeping import Keeping, Report

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
}


class CallPlace(msgspec.Struct, frozen=True):
    """Where a page calls, and the key for that: good for a minute, and for one call's session."""

    url: str
    key: str
    title: str
    """The server's name, for people."""
    model: str
    conversation: str = ""
    """What the page calls it when it tells what was said."""


def page_routes(
    token: str, find_place: Callable[[], CallPlace], calls_origin: str | None, keeping: Keeping
) -> Mapping[tuple[str, str], Route]:
    """The routes below ``/token/``. Reads the page's files.

    ``find_place`` makes a new key for each call, and may block and raise errors of this program; ``calls_origin`` is
    the origin of a voice server elsewhere. ``keeping`` gets what the page tells.
    """
    # Whatever token the server itself asks for, a page is let in by its name and the address it came from.
    door = Policy(None, KeyMaker(None))
    headers = _headers(calls_origin)

    def file(name: str) -> Route:
        content = (files("realtime_cli.web") / "page" / name).read_bytes()

        def read(_site: Site, request: HttpRequest) -> Answer:
            door.check_page(request.asked)
            return Answer(200, content, _TYPES[name], headers)

        return read

    def start(_site: Site, request: HttpRequest) -> Answer:
        door.check_page(request.asked)
        try:
            place = replace(find_place(), conversation=keeping.begin())
        except (ConfigError, ConnectionFailed, InputError) as problem:
            return error(502, "server_error", None, str(problem))
        return Answer(200, msgspec.json.encode(place), headers=headers)

    def said(_site: Site, request: HttpRequest) -> Answer:
        door.check_page(request.asked)
        try:
            report = msgspec.json.decode(request.body, type=Report)
        except (msgspec.DecodeError, RecursionError):
            return error(400, "invalid_request_error", "invalid_value", "The body is no report.")
        keeping.take(report)
        return Answer(204, b"", headers=headers)

    below = f"/{token}/"
    return {
        ("GET", below): file("index.html"),
        ("GET", f"{below}page.js"): file("page.js"),
        ("GET", f"{below}page.css"): file("page.css"),
        ("POST", f"{below}start"): start,
        ("POST", f"{below}said"): said,
    }


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _headers(calls_origin: str | None) -> Mapping[str, str]:
    reached = f"'self' {calls_origin}" if calls_origin else "'self'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; media-src 'self' blob: mediastream:; "
        f"connect-src {reached}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
