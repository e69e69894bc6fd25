"""Looks at what is offered to the model."""

from __future__ import annotations

import threading
from functools import partial

from realtime_cli.conversation.tool_definitions import ToolDefinition
from realtime_cli.doctor.check import Check, failed, good
from realtime_cli.doctor.probing import begin, outcome
from realtime_cli.errors import RealtimeError
from realtime_cli.ports import ToolHost

NAME = "tools"
FIX = "mend it, or leave out that --tools or --mcp"

_MANY = 8
"""So many names fit into a line or two."""


def check_tools(host: ToolHost) -> Check:
    """Everything starts; it is ended again at once. Blocks on the main thread, for as long as MCP servers take."""
    stopping = threading.Event()
    names: list[str] = []

    def ready(definitions: tuple[ToolDefinition, ...]) -> None:
        names.extend(definition.name for definition in definitions)
        stopping.set()
        host.close()

    try:
        outcome(begin(NAME, partial(host.run, ready, stopping)))
    except RealtimeError as error:
        return failed(NAME, error, FIX)
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return good(NAME, f"{len(names)} offered: {', '.join(names[:_MANY])}{more}")
