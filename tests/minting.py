"""An HTTP server on loopback that mints client secrets as the interface does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pydantic
from openai.types.realtime import ClientSecretCreateResponse
from openai.types.realtime.client_secret_create_params import ClientSecretCreateParams

from tests.http_server import Quiet, http_server

SECRET = "ek_0123456789abcdef0123456789abcdef"


class Mint:
    """What was asked, and how it is answered."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes | None = None
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    @property
    def session(self) -> dict[str, Any]:
        session: dict[str, Any] = self.asked[0]["body"]["session"]
        return session

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, bytes]:
        self.asked.append({"path": path, "headers": headers, "body": body})
        if self.body is not None or self.status != 200:
            return self.status, self.body or b""
        pydantic.TypeAdapter(ClientSecretCreateParams).validate_python(body)
        seconds = body.get("expires_after", {}).get("seconds", 600)
        session = {"id": "sess_1", "object": "realtime.session", "expires_at": 0} | body["session"]
        answer = {"value": SECRET, "expires_at": int(time.time()) + seconds, "session": session}
        ClientSecretCreateResponse.model_validate(answer)
        return 200, json.dumps(answer).encode()


@contextmanager
def minting() -> Iterator[Mint]:
    """A server at ``mint.url``."""
    mint = Mint()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = mint.answer(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with http_server(Handler) as origin:
        mint.url = f"{origin}/v1"
        yield mint
