"""Where the parts of the core put what they want done, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec.structs import replace

from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.server.core.effects import Effect, Emit

NewId: TypeAlias = Callable[[str], str]
"""A fresh id that begins with the given prefix and an underscore."""


class Outbox:
    """Effects since they were last taken."""

    def __init__(self, new_id: NewId) -> None:
        self.new_id = new_id
        self._effects: list[Effect] = []

    def do(self, effect: Effect) -> None:
        """Ask for an effect."""
        self._effects.append(effect)

    def emit(self, event: ServerEvent) -> None:
        """Send an event, under an id of its own."""
        self.do(Emit(replace(event, event_id=self.new_id("event"))))

    def emit_all(self, events: Iterable[ServerEvent]) -> None:
        """Send events in order."""
        for event in events:
            self.emit(event)

    def server_error(self, problem: str) -> None:
        """Tell the client that something of ours failed."""
        self.emit(ErrorEvent(error=ErrorDetail(type="server_error", code="server_error", message=problem)))

    def take(self) -> list[Effect]:
        """What was asked for since the last call."""
        effects, self._effects = self._effects, []
        return effects
