"""The tests' MCP server, running."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.running import ROOT, environment

COMMAND = f"{sys.executable} {ROOT / 'tests' / 'mcp_server.py'}"


@contextmanager
def served(**variables: str) -> Iterator[str]:
    """A server over HTTP, by its URL."""
    # Who connects waits until the server takes up the socket, which nobody else can have meanwhile.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        number = listener.fileno()
        command = [*COMMAND.split(), str(number)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, pass_fds=[number], env=environment(**variables))
    try:
        yield address
    finally:
        process.kill()
        process.wait()
