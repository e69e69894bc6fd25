"""The tests' MCP server, running."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.running import ROOT, environment

COMMAND = f"{sys.executable} {ROOT / 'tests' / 'mcp_server.py'}"


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def served(**variables: str) -> Iterator[str]:
    """A server over HTTP, by its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([*COMMAND.split(), str(port)], stderr=subprocess.DEVNULL, env=environment(**variables))
    address = f"http://127.0.0.1:{port}/mcp"
    # The connection is refused at once until the server listens; the process that tries has nothing else to wait for.
    while not answers(address):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
    try:
        yield address
    finally:
        process.kill()
        process.wait()
