"""Which dialect the server speaks: it is taken to speak one, and corrects that at most once by what it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from realtime_cli.conversation.effects import Effect, Send, Show, Speak
from realtime_cli.conversation.records import Notice
from realtime_cli.protocol.client_events import SessionUpdate
from realtime_cli.protocol.dialects import Dialect


class DialectDetection:
    """The session in the dialect that the server is taken to speak, and in the others.

    What was found out on one connection holds for later ones.
    """

    def __init__(self, session: Mapping[str, Any], otherwise: Mapping[Dialect, Mapping[str, Any]]) -> None:
        self._session = session
        self._otherwise = otherwise
        self.tools: Sequence[Mapping[str, Any]] = ()
        """Functions for the model, which look the same in all dialects."""
        self._spoken: Dialect | None = None

    def update(self, event_id: str | None = None) -> Send:
        """The ``session.update`` in the dialect that the server is taken to speak now."""
        offered = {"tools": [*self._session.get("tools", ()), *self.tools]} if self.tools else {}
        return Send(SessionUpdate(session={**self._session, **offered}, event_id=event_id))

    def speak(self) -> list[Effect]:
        """Speak the dialect that was found out on an earlier connection, if any was."""
        return [Speak(self._spoken)] if self._spoken else []

    def correct(self, shown: Dialect | None) -> list[Effect]:
        """Change to the dialect that the server has ``shown``; nothing when that is spoken, or changed before."""
        if shown is None or shown not in self._otherwise:
            return []
        self._session, self._otherwise = self._otherwise[shown], {}
        self._spoken = shown
        text = f"this server speaks the {shown.value} dialect: going on in that"
        return [Speak(shown), Show(Notice(text=text))]
