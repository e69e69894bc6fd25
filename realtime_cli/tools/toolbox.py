"""All that is offered to the model: functions of files, and tools of MCP servers.

Every call runs on a thread that the session gives it. What is ``async``, and all MCP servers, live in the asyncio loop
of one further thread, which is :meth:`Toolbox.run`'s; so an async function's clients and locks last from call to call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Literal, Protocol

import msgspec

from realtime_cli.conversation.tool_definitions import ToolDefinition, ToolOutcome, failure
from realtime_cli.errors import InputError, RealtimeError
from realtime_cli.tools.call_text import BadArguments, error_text, outcome_of
from realtime_cli.tools.functions import FunctionTool, wire_name
from realtime_cli.tools.mcp_servers import McpServer

Confirm = Literal["auto", "always", "never"]
"""Before which calls the user is asked: as each tool says, all, or none."""


class Tool(Protocol):
    """One function for the model."""

    @property
    def definition(self) -> ToolDefinition:
        """What the model is told of it."""

    def call(self, arguments: str) -> Any:
        """Its result, or something to be awaited for it. Raises BadArguments, and anything else."""


class Toolbox:
    """See the module. ``on_error`` is told of what a function raises, on its thread: the place for a traceback."""

    def __init__(
        self,
        functions: Sequence[FunctionTool],
        servers: Sequence[McpServer] = (),
        *,
        confirm: Confirm = "auto",
        on_error: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        """Raises InputError when two functions have the same name."""
        self._servers = servers
        self._confirm = confirm
        self._on_error = on_error
        self._tools: dict[str, Tool] = {}
        for function in functions:
            name = function.definition.name
            if name in self._tools:
                raise InputError(f"--tools: there are two functions named {name}", "rename one of them")
            self._tools[name] = function
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: asyncio.Task[None] | None = None
        self._awaited: dict[str, Future[Any]] = {}
        # Held while a call is handed to the loop, so that one which runs can be found to be cancelled.
        self._handing_over = threading.Lock()

    @property
    def may_ask(self) -> bool:
        """Whether the user may be asked about a call."""
        asks = bool(self._servers) or any(tool.definition.asks for tool in self._tools.values())
        return asks if self._confirm == "auto" else self._confirm == "always"

    def run(self, ready: Callable[[tuple[ToolDefinition, ...]], None], stopping: threading.Event) -> None:
        """Start the MCP servers, tell ``ready`` once what there is, and keep them until closed. Own thread.

        Raises InputError when a server does not start.
        """
        try:
            asyncio.run(self._live(ready, stopping))
        except asyncio.CancelledError:
            pass
        except BaseExceptionGroup as group:
            # Servers that are stopped may complain about it; only what ends us before our time matters.
            if not stopping.is_set():
                raise _realtime_error(group) from group
        finally:
            for run_id in list(self._awaited):
                self.cancel(run_id)

    def call(self, run_id: str, name: str, arguments: str) -> ToolOutcome:
        """Run a function; blocks until it is done. Whatever goes wrong is an outcome. Any thread, several at once."""
        tool = self._tools.get(name)
        if tool is None:
            return failure(f"there is no function {name!r}; there are: {', '.join(self._tools)}")
        try:
            result = tool.call(arguments)
            if isinstance(result, Awaitable):
                result = self._await(run_id, result)
        except BadArguments as error:
            return failure(str(error))
        except CancelledError:
            return failure("the call was cancelled")
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- the user's code may raise anything
            self._on_error(error)
            return failure(error_text(error))
        return result if isinstance(result, ToolOutcome) else outcome_of(result)

    def cancel(self, run_id: str) -> None:
        """Give a call up: what can be cancelled is; a plain function runs on to its end, which nobody waits for."""
        with self._handing_over:
            future = self._awaited.get(run_id)
        if future:
            future.cancel()

    def close(self) -> None:
        """Let :meth:`run` end its servers and return. Any thread; does not wait; may be called twice."""
        if self._loop and self._life:
            try:
                self._loop.call_soon_threadsafe(self._life.cancel)
            except RuntimeError:
                # It ended by itself between the question and the request.
                return

    async def _live(self, ready: Callable[[tuple[ToolDefinition, ...]], None], stopping: threading.Event) -> None:
        self._life = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if stopping.is_set():
            return
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(server.run())
            for server in self._servers:
                await server.opened.wait()
                for tool in server.tools:
                    self._tools[self._free_name(server.label, tool.definition.name)] = tool
            ready(tuple(self._named(name, tool.definition) for name, tool in self._tools.items()))
            await asyncio.Event().wait()

    def _free_name(self, label: str, name: str) -> str:
        """The tool's own name, or with its server's where that is taken."""
        names = [wire_name(name), wire_name(f"{label}_{name}")]
        names += [wire_name(f"{label}_{number}_{name}") for number in range(2, len(self._tools) + 2)]
        return next(free for free in names if free not in self._tools)

    def _named(self, name: str, definition: ToolDefinition) -> ToolDefinition:
        asks = definition.asks if self._confirm == "auto" else self._confirm == "always"
        return msgspec.structs.replace(definition, name=name, asks=asks)

    def _await(self, run_id: str, awaitable: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await awaitable

        assert self._loop is not None  # noqa: S101 -- nothing is called before all was ready
        with self._handing_over:
            future = self._awaited[run_id] = asyncio.run_coroutine_threadsafe(wait(), self._loop)
        try:
            return future.result()
        finally:
            del self._awaited[run_id]


def _realtime_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of ours in a group, or else the first."""
    ours = group.subgroup(RealtimeError)
    error: BaseException = ours or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
