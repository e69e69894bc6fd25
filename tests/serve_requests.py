"""Plain HTTP requests to a voice server, for tests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.serving import Serving
from tests.waiting import PATIENCE_S

HOST = b"Host: 127.0.0.1\r\n"
UPGRADE = (
    HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)

TOKEN = "a-token-of-the-tests-0123456789"


def http(
    serve: Serving, path: str, body: Any = None, *, method: str | None = None, **headers: str
) -> tuple[int, Any, Any]:
    """Status, JSON body and headers of an answer."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{serve.server.port}{path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            content = answer.read()
            return answer.status, json.loads(content) if content else None, answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read()), refused.headers
