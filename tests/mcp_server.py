"""A real MCP server: over its pipes, or over HTTP with the number of a socket that listens as argument, for all or for
those with its key."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.types import ImageContent

server = MCPServer("weather station", log_level="ERROR")


@server.tool()
def forecast(city: str, days: int = 1) -> str:
    """What the weather will be."""
    return f"{city}: {days} days of rain"


@server.tool(name="read.file")
def read_file(name: str) -> list[str]:
    """A name that the protocol of the model does not take, and one that is taken elsewhere."""
    return [f"{name} of the server", "two"]


@server.tool()
def picture() -> ImageContent:
    """Something that is no text."""
    return ImageContent(type="image", data="AAAA", mime_type="image/png")


@server.tool()
def fails() -> str:
    """Goes wrong."""
    raise ValueError("no wind")


@server.tool()
def dies() -> str:
    """The end of the server in the middle of a call."""
    os._exit(3)


@server.tool()
async def never() -> str:
    """Takes too long."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def variable(name: str) -> str:
    """What it was given in its environment."""
    return os.environ.get(name, "not set")


def for_holders_of(key: str, app: Any) -> Any:
    """The same for those who say ``key``; others are not let in."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != f"Bearer {key}".encode():
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return guarded


if __name__ == "__main__":
    if len(sys.argv) > 1:
        served = server.streamable_http_app()
        if key := os.environ.get("MCP_SERVER_KEY"):
            served = for_holders_of(key, served)
        listener = socket.socket(fileno=int(sys.argv[1]))
        uvicorn.Server(uvicorn.Config(served, log_level="error")).run(sockets=[listener])
    else:
        server.run()
