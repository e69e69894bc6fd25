"""Which of our events an error is about: each gets an id that the server repeats in the error it caused."""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.effects import Effect, Send
from realtime_cli.protocol.client_events import ClientEvent
from realtime_cli.protocol.items import ErrorDetail

REMEMBERED_EVENTS = 256
"""How many sent events an error can still be traced back to."""


class EventIds:
    """Names events as they are sent, and remembers the latest of them."""

    def __init__(self) -> None:
        self._events: dict[str, ClientEvent] = {}
        self._count = 0

    def named(self, effect: Effect) -> Effect:
        """The effect, its event with an id if it sends one."""
        if not isinstance(effect, Send):
            return effect
        self._count += 1
        event = msgspec.structs.replace(effect.event, event_id=_id(self._count))
        self._events[_id(self._count)] = event
        self._events.pop(_id(self._count - REMEMBERED_EVENTS), None)
        return msgspec.structs.replace(effect, event=event)

    def cause_of(self, error: ErrorDetail) -> ClientEvent | None:
        """The event that the error is about, if the server tells and it is not too long ago."""
        return self._events.pop(error.event_id or "", None)


def _id(number: int) -> str:
    return f"evt_{number:06d}"
