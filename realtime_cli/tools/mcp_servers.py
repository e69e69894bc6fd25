"""One MCP server whose tools are offered to the model: a command that speaks over its pipes, or a URL.

The protocol is the official package's (https://pypi.org/project/mcp/), the optional part ``mcp``. All of it runs in the
asyncio loop of one thread. What a server writes to its standard error is kept for the message of a start that failed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Any

from msgspec.structs import replace

from realtime_cli.conversation.tool_definitions import ToolDefinition, ToolOutcome, failure
from realtime_cli.errors import ConfigError, InputError
from realtime_cli.protocol.redaction import redact
from realtime_cli.tools.call_text import error_text, json_object, shortened

if TYPE_CHECKING:
    from httpx2 import AsyncClient
    from mcp import Client
    from mcp_types import CallToolResult

    from realtime_cli.tools.mcp_targets import McpTarget

START_S = 60.0
"""How long a server may take to start: ``npx`` and ``uvx`` fetch it first when it is new."""

HTTP_S, STREAM_S = 30.0, 300.0
"""Time limits of the package's own client (``mcp/shared/_httpx_utils.py``); a response may be a stream held open."""

REPORT_BYTES = 4096
"""How much of a server's last words is looked at."""


def require_mcp() -> None:
    """Raises ConfigError when the optional part is not installed."""
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError("--mcp needs the optional part mcp", "pip install 'realtime-voice-cli[mcp]'")


class McpTool:
    """One tool of a server."""

    def __init__(self, server: McpServer, name: str, definition: ToolDefinition) -> None:
        self._server = server
        self._name = name
        self.definition = definition

    async def call(self, arguments: str) -> ToolOutcome:
        """Let the server run it. Raises BadArguments, and errors of the connection."""
        return await self._server.call(self._name, json_object(arguments))


class McpServer:
    """See the module."""

    def __init__(self, target: McpTarget) -> None:
        self._target = target
        self.label = target.label
        """A short name, in which no secret can be."""
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
                    reason = redact(_report(last_words) or _reason(error), self._secrets)
                    raise InputError(f"--mcp {self.label}: it did not start", reason) from error
            finally:
                self._gone.set()

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolOutcome:
        """Run a tool; a server that goes away meanwhile is a failure like any other."""
        lost = failure(f"the MCP server {self.label} is gone")
        if self._client is None or self._gone.is_set():
            return lost
        from mcp import MCPError  # optional, and long there when this runs

        call = asyncio.ensure_future(self._client.call_tool(name, arguments))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
            return self._without_key(_outcome(call.result())) if call.done() else lost
        except MCPError as error:
            return self._without_key(failure(f"the MCP server {self.label}: {error}"))
        finally:
            call.cancel()
            gone.cancel()

    def _without_key(self, outcome: ToolOutcome) -> ToolOutcome:
        """A server may repeat the key that it was sent, which neither the model nor a file may learn."""
        if not self._target.key:
            return outcome
        return replace(outcome, output=redact(outcome.output, (self._target.key,)))

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
        from mcp.client.streamable_http import streamable_http_client

        # Without a handler the package's complaints, tracebacks and all, would go to our standard error.
        logging.getLogger("mcp").addHandler(logging.NullHandler())
        target = self._target
        if target.url:
            async with _http(target) as http, Client(streamable_http_client(target.url, http_client=http)) as client:
                yield client
            return
        command, *arguments = target.command
        server = StdioServerParameters(command=command, args=arguments, env=dict(target.variables))
        # Its standard error would otherwise be ours, and write into the view.
        async with Client(stdio_client(server, errlog=last_words)) as client:  # type: ignore[arg-type]
            yield client

    @property
    def _secrets(self) -> tuple[str, ...]:
        """What a server might repeat."""
        return tuple(filter(None, (self._target.key, *self._target.variables.values())))

    async def _listed(self, client: Client) -> AsyncIterator[McpTool]:
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                # The server's word that a tool changes nothing is no reason not to ask: it may be anybody's server.
                definition = ToolDefinition(
                    name=tool.name,
                    description=tool.description or "",
                    parameters=tool.input_schema,
                    asks=True,
                    server=self._target.label,
                )
                yield McpTool(self, tool.name, definition)
            cursor = page.next_cursor
            if not cursor:
                return


def _http(target: McpTarget) -> AsyncClient:
    """A client that says its key. (The package follows no redirect to another host, so nobody else gets it.)"""
    from httpx2 import AsyncClient, Timeout  # the package's own

    headers = {"Authorization": f"Bearer {target.key}"} if target.key else {}
    return AsyncClient(headers=headers, timeout=Timeout(HTTP_S, read=STREAM_S))


def _outcome(result: CallToolResult) -> ToolOutcome:
    texts = [_text(block) for block in result.content]
    return ToolOutcome(shortened("\n".join(texts)), failed=bool(result.is_error))


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
