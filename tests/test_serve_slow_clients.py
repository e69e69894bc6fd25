"""Clients that are silent, or take nothing: they lose their places and hold up nobody."""

from __future__ import annotations

import socket

import pytest

import realtime_cli.server.socket.websocket as websocket_module
from tests.local_engines import Reciter
from tests.serve_requests import UPGRADE
from tests.serving import serving
from tests.waiting import PATIENCE_S, wait_until


def test_a_client_that_gives_no_sign_of_life_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "TICK_S", 0.05)
    with serving() as serve:
        with socket.create_connection(("127.0.0.1", serve.server.port), timeout=PATIENCE_S) as dead:
            dead.sendall(b"GET /v1/realtime HTTP/1.1\r\n" + UPGRADE + b"\r\n")
            received = b""
            while b"session.created" not in received:
                received += dead.recv(65_536)
            monkeypatch.setattr(websocket_module, "PING_S", 0.05)
            received += b"".join(iter(lambda: dead.recv(65_536), b""))
        assert b"\x89\x00" in received  # a ping
        wait_until(lambda: serve.server.sessions == 0)


def test_a_client_that_takes_nothing_loses_its_place_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "SEND_S", 0.2)
    with serving(lm=Reciter([f"{'x' * 400}. "] * 10)) as serve, serve.connect() as deaf, serve.connect() as other:
        deaf.send("response.create")
        other.until("session.created")
        other.send("input_audio_buffer.clear")
        other.until("input_audio_buffer.cleared")
        wait_until(lambda: serve.server.sessions == 1)
        other.send("input_audio_buffer.clear")
        other.until("input_audio_buffer.cleared")


def test_a_client_that_takes_nothing_does_not_hold_up_the_end() -> None:
    with serving(lm=Reciter([f"{'x' * 400}. "] * 10)) as serve, serve.connect() as deaf:
        deaf.send("response.create")
        wait_until(lambda: serve.lm.given == 10)
        serve.server.close(0.1)
        wait_until(lambda: serve.server.sessions == 0)
