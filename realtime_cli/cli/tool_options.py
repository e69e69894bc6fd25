"""The functions that the settings offer to the model, and where the user is asked about calls."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from realtime_cli.errors import InputError
from realtime_cli.ports import Input
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.profiles import LOCAL, Provider
from realtime_cli.settings.settings import Environment, Settings

if TYPE_CHECKING:
    from realtime_cli.tools.toolbox import Toolbox

NO_REMOTE_CALLS = "the embedded server reaches no MCP servers by itself: offer them with --mcp"


def toolbox_of(
    settings: Settings, environment: Environment, provider: Provider, on_error: Callable[[BaseException], None]
) -> tuple[Toolbox | None, list[str]]:
    """What is offered, if anything, and what the user should know; errors as :func:`toolboxes_of` has them."""
    make, hints = toolboxes_of(settings, environment, provider, on_error)
    return make() if make else None, hints


def toolboxes_of(
    settings: Settings, environment: Environment, provider: Provider, on_error: Callable[[BaseException], None]
) -> tuple[Callable[[], Toolbox] | None, list[str]]:
    """What makes the functions for one session of several, if any are offered, and what the user should know.

    Runs the files of ``--tools``, once; MCP servers run anew for each session. Raises InputError for what cannot be
    offered, and ConfigError when the optional part is missing or an MCP server is described wrongly.
    """
    if not (settings.tools or settings.mcp or settings.remote_mcp):
        return None, []
    hints = [NO_REMOTE_CALLS] if provider is LOCAL and settings.remote_mcp else []
    if not (settings.tools or settings.mcp):
        return None, hints
    # pydantic and asyncio: for those who use tools.
    from realtime_cli.tools.loading import load_tools
    from realtime_cli.tools.mcp_servers import McpServer, require_mcp
    from realtime_cli.tools.mcp_targets import mcp_target
    from realtime_cli.tools.toolbox import Toolbox

    if settings.mcp:
        require_mcp()
    targets = [mcp_target(said, environment) for said in settings.mcp]
    functions = [function for file in settings.tools for function in load_tools(file)]

    def make() -> Toolbox:
        servers = [McpServer(target) for target in targets]
        return Toolbox(functions, servers, confirm=settings.confirm_tools, on_error=on_error)

    # Two functions of the same name are found before anybody calls.
    make()
    return make, hints


def remote_servers(
    settings: Settings, environment: Environment, provider: Provider, dialect: Dialect
) -> tuple[dict[str, Any], ...]:
    """What the model's side is told of the MCP servers that it reaches by itself. Raises InputError and ConfigError."""
    if provider is LOCAL or not settings.remote_mcp:
        return ()
    if dialect is Dialect.BETA:
        raise InputError("--remote-mcp: the beta dialect knows no MCP servers", "use --mcp, which works everywhere")
    from realtime_cli.tools.mcp_targets import remote_mcp  # few use it

    approval = "never" if settings.confirm_tools == "never" else "always"
    return tuple({**remote_mcp(said, environment), "require_approval": approval} for said in settings.remote_mcp)


def asking_at(inputs: tuple[Input, ...], *, may_ask: bool) -> tuple[tuple[Input, ...], bool]:
    """The inputs of a session whose user ``may`` be asked, and whether somebody can be: who sits at a terminal."""
    if not sys.stdin.isatty():
        return inputs, False
    if inputs or not may_ask:
        return inputs, True
    from realtime_cli.terminal.typed_turns import typed_answers  # only where something may be asked

    return (typed_answers(sys.stdin.buffer),), True


class Prints(io.TextIOBase):
    """Takes what functions print, line by line: standard output is the reply's, and the screen the view's."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rest = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Tell the lines that are whole. Any thread."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._tell(line)
        return len(text)
