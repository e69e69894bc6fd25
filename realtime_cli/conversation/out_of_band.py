"""Side channels: after each turn the model writes something about the conversation that never becomes part of it.

Each is a response out of band (https://platform.openai.com/docs/guides/realtime-conversations#create-responses-outside-the-default-conversation):
``conversation`` is "none", no ``input`` is named, so that it reads the conversation as it stands, and its ``metadata``
says which side channel it is for. Such responses may run beside one of the conversation, and beside each other.
"""

from __future__ import annotations

from realtime_cli.conversation.effects import Effect, Send, Show
from realtime_cli.conversation.failures import failure_of
from realtime_cli.conversation.options import SideChannel
from realtime_cli.conversation.records import Aside, Trouble
from realtime_cli.conversation.usage import Meter
from realtime_cli.protocol import response_events as r
from realtime_cli.protocol.client_events import ResponseCreate
from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.items import ErrorDetail, Response

KEY = "side_channel"
"""The metadata's key."""

ENDING_TURNS = ("completed", "incomplete")
"""Status of responses after which there is something new to read; after an interruption a turn follows anyway."""

CALLS = ("function_call", "mcp_approval_request")
"""Items after which the same turn goes on."""


class Asides:
    """The one owner of what is known about responses out of band."""

    def __init__(self, channels: tuple[SideChannel, ...], meter: Meter) -> None:
        self._channels = channels
        self._meter = meter
        self._owed = 0
        self._running: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Whether something is still to come."""
        return self._owed > 0

    def owns(self, event: ResponseCreate) -> bool:
        """Whether a request is for a side channel."""
        return KEY in ((event.response or {}).get("metadata") or {})

    def turn_over(self, response: Response) -> list[Effect]:
        """A response of the conversation is done: ask, unless the turn goes on."""
        if response.status not in ENDING_TURNS or any(item.type in CALLS for item in response.output or ()):
            return []
        self._owed += len(self._channels)
        return [Send(ResponseCreate(response=_request(channel))) for channel in self._channels]

    def refused(self, error: ErrorDetail) -> list[Effect]:
        """The server refused a request."""
        self._owed = max(0, self._owed - 1)
        return [Show(Trouble(message=f"a side channel is refused: {error.message}", code=error.code))]

    def take(self, event: ServerEvent) -> list[Effect] | None:
        """See to an event that belongs to a side channel; None for one that does not."""
        match event:
            case r.ResponseCreated(response=response) if KEY in (response.metadata or {}):
                self._running[response.id] = str((response.metadata or {})[KEY])
                self._texts[response.id] = ""
                return []
            case r.ResponseDone(response=response) if response.id in self._running:
                return self._done(response)
            case r.OutputTextDelta(response_id=response_id) if response_id in self._running:
                self._texts[response_id] += event.delta
                return []
        return [] if getattr(event, "response_id", "") in self._running else None

    def _done(self, response: Response) -> list[Effect]:
        name, text = self._running.pop(response.id), self._texts.pop(response.id)
        self._owed = max(0, self._owed - 1)
        usage = Show(self._meter.aside_done(response))
        words = text or "".join(item.words for item in response.output or ())
        if failure := failure_of(response, empty=not words):
            return [Show(Trouble(message=f"side channel {name}: {failure.message}", code=failure.code)), usage]
        return [Show(Aside(name=name, text=words.strip())), usage]


def _request(channel: SideChannel) -> dict[str, object]:
    return {
        "conversation": "none",
        "metadata": {KEY: channel.name},
        "output_modalities": ["text"],
        "instructions": channel.prompt,
        "tool_choice": "none",
    }
