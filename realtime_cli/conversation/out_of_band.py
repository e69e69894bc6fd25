"""Side channels: after each turn the model writes something about the conversation that never becomes part of it.

Each is a response out of band (https://platform.openai.com/docs/guides/realtime-conversations#create-responses-outside-the-default-conversation):
``conversation`` is "none", no ``input`` is named, so that it reads the conversation as it stands, and its ``metadata``
says which side channel it is for. Such responses may run beside one of the conversation, and beside each other. Where a
server does not repeat ``metadata``, its response is known by having no conversation, or by the order of requests.
"""

from __future__ import annotations

from collections import deque

from realtime_cli.conversation.effects import Effect, Send, Show
from realtime_cli.conversation.failures import failure_of
from realtime_cli.conversation.options import SideChannel
from realtime_cli.conversation.records import Notice, SideChannelSaid, Trouble
from realtime_cli.conversation.reply import Reply
from realtime_cli.conversation.request_rate import RequestRate
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.states import Recent
from realtime_cli.conversation.usage import UsageMeter
from realtime_cli.protocol import response_events as r
from realtime_cli.protocol.client_events import ResponseCreate
from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.items import ErrorDetail, Response

KEY = "side_channel"
"""The metadata's key."""

ANSWER_S = 20.0
"""How long a side channel may take; then side channels are given up, and the end of a conversation waits no longer."""

ENDING_TURNS = ("completed", "incomplete", "")
"""Status of responses after which there is something new to read; after an interruption a turn follows anyway."""

CALLS = ("function_call", "mcp_approval_request")
"""Items after which the same turn goes on."""


class OutOfBand:
    """The one owner of what is known about responses out of band. Belongs to one connection."""

    def __init__(
        self, channels: tuple[SideChannel, ...], responses: Responses, meter: UsageMeter, rate: RequestRate
    ) -> None:
        self._channels = channels
        self._responses = responses
        self._meter = meter
        self._rate = rate
        self.reset()

    def reset(self) -> None:
        """A new connection: nothing was asked there. A server that cannot keep them apart is not asked again."""
        self._wanted: deque[SideChannel] = deque()
        self._asked: deque[tuple[str, float]] = deque()
        """(name, when) of requests whose response has not begun, in the order they were sent."""
        self._running: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._over = Recent()
        """Ids of responses that ended or were given up: whatever still comes of them is no part of the conversation."""
        self._since = 0.0
        self._has_conversation_ids = self._repeats_nothing = False

    @property
    def busy(self) -> bool:
        """Whether something is still to come."""
        return bool(self._wanted or self._asked or self._running)

    @property
    def due(self) -> float | None:
        """When side channels are given up, or the next may be asked."""
        if self._wanted and not (self._asked or self._running):
            return self._rate.due
        return self._since + ANSWER_S if self._asked or self._running else None

    def owns(self, event: ResponseCreate) -> bool:
        """Whether a request is for a side channel."""
        return KEY in ((event.response or {}).get("metadata") or {})

    def turn_over(self, response: Response) -> None:
        """A response of the conversation is done: ask, unless the turn goes on."""
        if response.status not in ENDING_TURNS or any(item.type in CALLS for item in response.output or ()):
            return
        # Whoever cannot keep up is asked about the latest turn only.
        self._wanted = deque(self._channels)

    def ask(self, now: float) -> list[Effect]:
        """Ask what is wanted, as far as requests are allowed."""
        effects: list[Effect] = []
        while self._wanted:
            if not self._rate.allows(now):
                return [*effects, *self._rate.slowed_down()]
            self._rate.take()
            channel = self._wanted.popleft()
            self._asked.append((channel.name, now))
            self._since = now
            effects.append(Send(ResponseCreate(response=_request(channel))))
        return effects

    def refused(self, cause: ResponseCreate, error: ErrorDetail) -> list[Effect]:
        """The server refused a request."""
        name = str(((cause.response or {}).get("metadata") or {}).get(KEY))
        self._forget(name)
        return [Show(Trouble(message=f"a side channel is refused: {error.message}", code=error.code))]

    def expire(self, now: float) -> list[Effect]:
        """Give up a server that does not answer side channels."""
        if not (self._asked or self._running) or now < self._since + ANSWER_S:
            return []
        return self._give_up("this server does not answer side channels: they are off from here on")

    def take(self, event: ServerEvent, now: float) -> list[Effect] | None:
        """See to an event that belongs to a side channel; None for one that does not."""
        match event:
            case r.ResponseCreated(response=response):
                return [] if response.id and response.id in self._over else self._created(response)
            case r.ResponseDone(response=response) if response.id in self._running:
                return self._done(response)
            case r.OutputTextDelta(response_id=response_id) if response_id in self._running:
                self._since = now
                self._texts[response_id] += event.delta
                return []
        belongs_to = event.response.id if isinstance(event, r.ResponseDone) else str(getattr(event, "response_id", " "))
        return [] if belongs_to in self._running or belongs_to in self._over else None

    def _created(self, response: Response) -> list[Effect] | None:
        if KEY in (response.metadata or {}):
            name = str((response.metadata or {})[KEY])
            self._forget(name)
        elif self._asked and self._is_unmarked(response, self._responses.coming):
            name, _ = self._asked.popleft()
            self._repeats_nothing = True
        else:
            self._has_conversation_ids = self._has_conversation_ids or bool(response.conversation_id)
            return None
        self._running[response.id], self._texts[response.id] = name, ""
        if response.conversation_id:
            text = "this server puts side channels into the conversation: they are off from here on"
            self._channels = ()
            self._wanted.clear()
            return [Show(Notice(text=text))]
        return []

    def _is_unmarked(self, response: Response, coming: Reply | None) -> bool:
        """Whether a response that says nothing of itself is a side channel's."""
        if response.metadata:
            return False
        if self._has_conversation_ids and not response.conversation_id:
            return True
        _, asked_at = self._asked[0]
        # A server that repeats metadata may begin with the later request.
        return coming is None or (self._repeats_nothing and asked_at <= coming.asked_at)

    def _forget(self, name: str) -> None:
        """One request of this name is no longer waited for."""
        asked = next((it for it in self._asked if it[0] == name), None)
        if asked is not None:
            self._asked.remove(asked)

    def _give_up(self, text: str) -> list[Effect]:
        self._channels = ()
        self._wanted.clear()
        self._asked.clear()
        for response_id in self._running:
            self._over.add(response_id)
        self._running.clear()
        self._texts.clear()
        return [Show(Notice(text=text))]

    def _done(self, response: Response) -> list[Effect]:
        name, text = self._running.pop(response.id), self._texts.pop(response.id)
        if response.id:
            self._over.add(response.id)
        usage = self._meter.out_of_band_done(response)
        words = text or "".join(item.words for item in response.output or ())
        if failure := failure_of(response, empty=not words):
            return [Show(Trouble(message=f"side channel {name}: {failure.message}", code=failure.code)), *usage]
        return [Show(SideChannelSaid(name=name, text=words.strip())), *usage]


def _request(channel: SideChannel) -> dict[str, object]:
    return {
        "conversation": "none",
        "metadata": {KEY: channel.name},
        "output_modalities": ["text"],
        "instructions": channel.prompt,
        "tool_choice": "none",
    }
