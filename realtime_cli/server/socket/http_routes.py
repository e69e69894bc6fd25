"""What the server answers over plain HTTP, beside the WebSocket: one function a route, without I/O.

Another room adds a route by putting it into the table of a :class:`Routes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from realtime_cli.server.core.checks import Refusal
from realtime_cli.server.socket.admission import Asked, Limits, NotAllowed, Policy

MOST_BODY_BYTES = 1_000_000
"""Of a request; a session's instructions and tools are the longest there is."""


class Answer(msgspec.Struct, frozen=True):
    """A response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}
    """Besides its type and length."""


class HttpRequest(msgspec.Struct, frozen=True):
    """A request that may be answered: its page is no stranger's."""

    asked: Asked
    body: bytes
    now: float
    """Seconds since 1970."""
    sessions: int
    """How many are held just now."""
    waiting: int = 0
    """How many utterances and sentences wait for an engine."""


Route: TypeAlias = Callable[["Site", HttpRequest], Answer]


class Site(msgspec.Struct, frozen=True):
    """What the routes know of the server."""

    policy: Policy
    models: tuple[str, ...]
    """Names that ``GET /v1/models`` lists; the first is the default."""
    started_at: int
    limits: Limits


def answer(site: Site, routes: Mapping[tuple[str, str], Route], request: HttpRequest) -> Answer:
    """The answer of the route, or the error that says why there is none."""
    asked = request.asked
    found = {method: route for (method, path), route in routes.items() if _fits(path, asked.path)}
    route = found.get(asked.method)
    if route is None:
        methods = sorted(found)
        if methods:
            return error(405, "invalid_request_error", None, f"{asked.path} takes {' and '.join(methods)}.")
        return error(404, "invalid_request_error", None, f"There is nothing at {asked.method} {asked.path[:200]}.")
    try:
        return route(site, request)
    except NotAllowed as problem:
        return error(problem.status, "invalid_request_error", problem.code, problem.message)
    except Refusal as refusal:
        return error(400, "invalid_request_error", refusal.code, refusal.message, refusal.param)


def _fits(pattern: str, path: str) -> bool:
    """Whether a path is a route's; its part ``{id}`` stands for any name."""
    wanted, given = pattern.split("/"), path.split("/")
    return len(wanted) == len(given) and all(each in ("{id}", part) for each, part in zip(wanted, given, strict=True))


def error(status: int, kind: str, code: str | None, message: str, param: str | None = None) -> Answer:
    """An error as the service's HTTP interface has it."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Answer(status, msgspec.json.encode(body))


def _health(site: Site, request: HttpRequest) -> Answer:
    return _json(
        {
            "status": "ok",
            "sessions": request.sessions,
            "max_sessions": site.limits.sessions,
            "waiting": request.waiting,
            "session_minutes": site.limits.session_minutes,
        }
    )


def _models(site: Site, request: HttpRequest) -> Answer:
    site.policy.check_key(request.asked, request.now, ephemeral=False)
    models = [
        {"id": name, "object": "model", "created": site.started_at, "owned_by": "realtime-cli"} for name in site.models
    ]
    return _json({"object": "list", "data": models})


def _client_secrets(site: Site, request: HttpRequest) -> Answer:
    site.policy.check_key(request.asked, request.now, ephemeral=False)
    try:
        body = msgspec.json.decode(request.body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal("invalid_json", "The body is not JSON.") from None
    return _json(site.policy.keys.mint(body, request.now, site.models[0]))


def _json(body: Any) -> Answer:
    return Answer(200, msgspec.json.encode(body))


ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/healthz"): _health,
    ("GET", "/v1/models"): _models,
    ("POST", "/v1/realtime/client_secrets"): _client_secrets,
}
"""By method and path; ``{id}`` in a path is any name."""
