"""Function calls as the server announces them: in several events, again and again, and with ids left out. Pure.

What comes of it is each call once and whole. Belongs to one connection.
"""

from __future__ import annotations

from msgspec.structs import replace

from realtime_cli.conversation.states import Recent
from realtime_cli.protocol.items import Item, Response
from realtime_cli.protocol.response_events import FunctionArgumentsDone, OutputItemAdded, OutputItemDone

APPROVAL = "mcp_approval_request"
"""An item that asks for consent: https://platform.openai.com/docs/guides/realtime-mcp."""

UNFINISHED = ("in_progress", "incomplete")
"""The status of a call whose arguments were cut off, by an interruption or a limit."""

REMEMBERED_SERVERS = 64
"""Of how many lists of tools it is known whose they are."""


class AnnouncedCalls:
    """See the module."""

    def __init__(self) -> None:
        self._known = Recent()
        """Items of calls that have begun, and ids of calls with their response's."""
        self._names: dict[str, str] = {}
        """Names by item: a beta server's ``arguments.done`` has none."""
        self._unconfirmed: dict[str, Item] = {}
        """Calls of which only ``arguments.done`` came: it comes for those that were cut off as well."""
        self._servers: dict[str, str] = {}
        """Labels of MCP servers by the item that lists their tools."""

    def item(self, event: OutputItemAdded | OutputItemDone) -> Item | None:
        """The call that a response finished with this event, if it is one."""
        if isinstance(event, OutputItemDone):
            return self._whole(event.item)
        if event.item.type == "function_call":
            self._names[event.item.id or ""] = event.item.name or ""
        return None

    def arguments(self, event: FunctionArgumentsDone) -> None:
        """A call's arguments are over, whole or cut off; some servers send nothing else about a call."""
        name = event.name or self._names.get(event.item_id, "")
        whole = Item(id=event.item_id, call_id=event.call_id, name=name, arguments=event.arguments)
        self._unconfirmed[event.item_id or event.call_id] = whole

    def response_done(self, response: Response) -> list[Item]:
        """The calls of a response that ended, also those that were told of before."""
        items = [item for each in response.output or () if (item := self._whole(each))]
        if response.status in ("completed", ""):
            items += self._unconfirmed.values()
        self._unconfirmed.clear()
        self._names.clear()
        return items

    def is_new(self, *names: str) -> bool:
        """Whether no call was told of under any of these names, which are remembered. An empty one names none."""
        if any(name in self._known for name in names if name):
            return False
        for name in filter(None, names):
            self._known.add(name)
        return True

    def listing(self, item: Item) -> None:
        """The model's side is about to list the tools of an MCP server."""
        self._servers[item.id or ""] = item.server_label or ""
        if len(self._servers) > REMEMBERED_SERVERS:
            del self._servers[next(iter(self._servers))]

    def server_of(self, item_id: str) -> str:
        """The label of the MCP server whose tools this item lists; empty where that is unknown."""
        return self._servers.get(item_id, "")

    def _whole(self, item: Item) -> Item | None:
        if item.type not in ("function_call", APPROVAL) or item.status in UNFINISHED:
            return None
        return item if item.name else replace(item, name=self._names.get(item.id or "", ""))
