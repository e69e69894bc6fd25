"""One MCP server whose tools are offered to the model: a command that speaks over its pipes, or a URL.

The protocol is the official package's (https://pypi.org/project/mcp/), the optional part ``mcp``. All of it runs in the
asyncio loop of one thread. What a server writes to its standard error is kept for the message of a start that failed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shlex
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from realtime_cli.conversation.offers import Offer, Outcome, failure
from realtime_cli.errors import ConfigError, InputError
from realtime_cli.protocol.redaction import redact
from realtime_cli.tools.arguments import json_object
from realtime_cli.tools.output import error_text, shortened

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

START_S = 60.0
"""How long a server may take to start: ``npx`` and ``uvx`` fetch it first when it is new."""

REPORT_BYTES = 4096
"""How much of a server's last words is looked at."""


def require_mcp() -> None:
    """Raises ConfigError when the optional part is not installed."""
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError("--mcp needs the optional part mcp", "pip install 'realtime-voice-cli[mcp]'")


class McpTool:
    """One tool of a server."""

    def __init__(self, server: McpServer, name: str, offer: Offer) -> None:
        self._server = server
        self._name = name
        self.offer = offer

    async def call(self, arguments: str) -> Outcome:
        """Let the server run it. Raises BadArguments, and errors of the connection."""
        return await self._server.call(self._name, json_object(arguments))


class McpServer:
    """See the module. ``target``: a command with its arguments, or an http(s) URL. Raises InputError."""

    def __init__(self, target: str) -> None:
        self._url = target if target.startswith(("http://", "https://")) else None
        self._command = [] if self._url else _split(target)
        self.label = _label(self._url, self._command)
        """A short name, in which no secret of a URL's query or a command's arguments can be."""
        self.tools: tuple[McpTool, ...] = ()
        """What it offers, once :attr:`opened`."""
        self.opened = asyncio.Event()
        self._gone = asyncio.Event()
        self._client: Client | None = None

    async def run(self) -> None:
        """Start the server and keep it until cancelled or lost. Raises InputError when it does not start."""
        with tempfile.TemporaryFile() as last_words:
            try:
                await self._keep(last_words)
            except Exception as error:
                # Whatever the package and the libraries under it raise, alone or in groups. A server that is lost
                # later is told to the model by the calls that fail, and ends nothing else.
                if not self.opened.is_set():
                    reason = _report(last_words) or _reason(error)
                    raise InputError(f"--mcp {self.label}: it did not start", redact(reason)) from error
            finally:
                self._gone.set()

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        """Run a tool; a server that goes away meanwhile is a failure like any other."""
        lost = failure(f"the MCP server {self.label} is gone")
        if self._client is None or self._gone.is_set():
            return lost
        from mcp import MCPError  # optional, and long there when this runs

        call = asyncio.ensure_future(self._client.call_tool(name, arguments))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
            return _outcome(call.result()) if call.done() else lost
        except MCPError as error:
            return failure(f"the MCP server {self.label}: {error}")
        finally:
            call.cancel()
            gone.cancel()

    async def _keep(self, last_words: IO[bytes]) -> None:
        async with asyncio.timeout(START_S) as limit, self._connected(last_words) as client:
            self._client = client
            self.tools = tuple([tool async for tool in self._listed(client)])
            limit.reschedule(None)
            self.opened.set()
            await asyncio.Event().wait()

    @asynccontextmanager
    async def _connected(self, last_words: IO[bytes]) -> AsyncIterator[Client]:
        from mcp import Client, StdioServerParameters  # half a second, and optional
        from mcp.client.stdio import stdio_client

        # Without a handler the package's complaints, tracebacks and all, would go to our standard error.
        logging.getLogger("mcp").addHandler(logging.NullHandler())
        if self._url:
            async with Client(self._url) as client:
                yield client
            return
        server = StdioServerParameters(command=self._command[0], args=self._command[1:])
        # Its standard error would otherwise be ours, and write into the view.
        async with Client(stdio_client(server, errlog=last_words)) as client:  # type: ignore[arg-type]
            yield client

    async def _listed(self, client: Client) -> AsyncIterator[McpTool]:
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                # The server's word that a tool changes nothing is no reason not to ask: it may be anybody's server.
                offer = Offer(
                    name=tool.name, description=tool.description or "", parameters=tool.input_schema, asks=True
                )
                yield McpTool(self, tool.name, offer)
            cursor = page.next_cursor
            if not cursor:
                return


def _split(target: str) -> list[str]:
    try:
        words = shlex.split(target, posix=os.name != "nt")
    except ValueError as error:
        raise InputError(f"--mcp: the command cannot be read: {error}", "check its quotes") from error
    if not words:
        raise InputError("--mcp: there is neither a command nor a URL", 'such as --mcp "uvx mcp-server-time"')
    return words


def _label(url: str | None, command: list[str]) -> str:
    if url is None:
        return PurePath(command[0]).stem
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise InputError("--mcp: the URL has no host", "such as --mcp https://example.org/mcp")
    return host


def _outcome(result: CallToolResult) -> Outcome:
    texts = [_text(block) for block in result.content]
    return Outcome(shortened("\n".join(texts)), failed=bool(result.is_error))


def _text(block: Any) -> str:
    """The words of one block of content; of images and sounds only that they are there."""
    if block.type == "text":
        return str(block.text)
    text = getattr(getattr(block, "resource", None), "text", None)
    return str(text) if text is not None else f"[{block.type}, which cannot be passed on]"


def _report(last_words: IO[bytes]) -> str:
    """The last line that a server wrote to its standard error."""
    size = last_words.seek(0, os.SEEK_END)
    last_words.seek(max(0, size - REPORT_BYTES))
    lines = last_words.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return f"no answer within {START_S:g} s"
    return error.strerror or error_text(error) if isinstance(error, OSError) else error_text(error)
