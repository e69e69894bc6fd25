"""A real MCP server: over its pipes, or with a port as argument over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys

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


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
