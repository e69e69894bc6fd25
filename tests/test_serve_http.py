"""What the voice server says over plain HTTP, also to what is no request."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from realtime_cli.server.socket.waiting_room import MOST_WAITING, WaitingRoom
from tests.serve_requests import HOST, TOKEN, UPGRADE, http
from tests.serving import serving
from tests.waiting import PATIENCE_S


def test_health_and_models_are_told_over_http() -> None:
    with serving(token=TOKEN, sessions=3) as serve:
        status, body, _ = http(serve, "/healthz")
        assert (status, body["status"], body["sessions"], body["max_sessions"]) == (200, "ok", 0, 3)
        assert http(serve, "/v1/models")[0] == 401
        status, body, _ = http(serve, "/v1/models", Authorization=f"Bearer {TOKEN}")
        assert [model["id"] for model in body["data"]] == ["local"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/realtime", 426), ("DELETE", "/v1/models", 405), ("GET", "/v1/../etc", 404)],
)
def test_what_is_not_there_is_a_json_error(method: str, path: str, status: int) -> None:
    with serving() as serve:
        found, body, _ = http(serve, path, method=method)
        assert (found, body["error"]["type"]) == (status, "invalid_request_error")


def test_connections_that_ask_nothing_keep_nobody_out() -> None:
    with serving() as serve, ExitStack() as silent:
        for _ in range(MOST_WAITING + 8):
            sock = silent.enter_context(socket.create_connection(("127.0.0.1", serve.server.port), PATIENCE_S))
            sock.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert http(serve, "/healthz")[0] == 200
        with serve.connect() as client:
            client.until("session.created")


def test_who_has_asked_nothing_for_longest_gives_way_and_who_is_served_stays() -> None:
    gone: list[str] = []
    room = WaitingRoom[str](gone.append, most=3)
    assert all(room.enter(name) for name in ("served", "answered", "silent"))
    for name in ("served", "answered"):
        room.has_asked(name)
    room.is_answered("answered")
    assert room.enter("new")
    assert gone == ["silent"]
    for name in ("answered", "new"):
        room.has_asked(name)
    assert not room.enter("too many")
    room.leave("served")
    room.has_asked("silent")
    room.is_answered("silent")
    assert room.enter("next")
    assert gone == ["silent"]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b" 400 "),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", b" 505 "),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", b" 414 "),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n", b" 431 "),
        (b"BREW /healthz HTTP/1.1\r\n" + HOST + b"\r\n", b" 501 "),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b" 403 "),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", b" 403 "),
        (b"POST /v1/realtime/client_secrets HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\n", b" 413 "),
        (b"POST /v1/realtime/client_secrets HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", b" 413 "),
        (b"POST /v1/realtime HTTP/1.1\r\n" + UPGRADE + b"Connection: close\r\n\r\n", b" 404 "),
        (b"GET /v1/realtime HTTP/1.1\r\n" + UPGRADE.replace(b"13", b"8") + b"\r\n", b" 400 "),
        (b"GET /v1/realtime HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\n\r\n", b" 426 "),
        (b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", b" 200 "),
    ],
)
def test_what_is_half_a_request_or_none_is_answered_and_the_next_client_served(request_: bytes, answer: bytes) -> None:
    with serving() as serve:
        with socket.create_connection(("127.0.0.1", serve.server.port), timeout=PATIENCE_S) as sock:
            sock.sendall(request_)
            first_line = sock.makefile("rb").readline()
        assert answer in first_line
        assert b"<" not in first_line
        with serve.connect() as client:
            client.until("session.created")


def test_a_frame_that_breaks_the_rules_ends_its_own_connection_alone() -> None:
    with serving() as serve:
        with socket.create_connection(("127.0.0.1", serve.server.port), timeout=PATIENCE_S) as sock:
            sock.sendall(b"GET /v1/realtime HTTP/1.1\r\n" + UPGRADE + b"\r\n" + b"\x81\x02{}")
            received = b"".join(iter(lambda: sock.recv(65_536), b""))
        assert b"\x03\xea" in received  # close code 1002: a client's frames are masked (RFC 6455, 5.1)
        with serve.connect() as client:
            client.until("session.created")


def test_a_body_that_is_too_long_is_refused() -> None:
    with serving() as serve:
        assert http(serve, "/v1/realtime/client_secrets", b"x" * 1_000_001)[0] == 413
