"""How much of the model's replies was heard, and what the server is told when one is cut: never more than that."""

from __future__ import annotations

from realtime_cli.conversation.effects import Effect, Send
from realtime_cli.conversation.facts import Flushed, Heard
from realtime_cli.conversation.history import Entry, History
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.protocol.client_events import ConversationItemDelete, ConversationItemTruncate


class HeardReplies:
    """See the module. What was heard is kept in the history's entries."""

    def __init__(self, options: ConversationOptions, history: History) -> None:
        self._options = options
        self._history = history

    def heard(self, fact: Heard) -> None:
        """Playback went on."""
        entry = self._history.played(fact.item_id)
        if entry is None or fact.content_index not in entry.parts:
            return
        part = entry.parts[fact.content_index]
        part.heard_ms = max(part.heard_ms, min(fact.heard_ms, part.received_ms))
        part.finished = part.finished or fact.finished

    def flushed(self, fact: Flushed) -> list[Effect]:
        """The playback fell silent: tell the server exactly what was heard, never more than was received."""
        for part in fact.parts:
            self.heard(part)
        cut = [entry for entry in self._history.of("assistant") if entry.audible or not entry.final]
        return [effect for entry in cut for effect in self._cut(entry)]

    def cut_off(self) -> None:
        """The conversation ends: of replies that are cut off by it, only what was heard is told."""
        for entry in self._history.of("assistant"):
            if entry.final and not entry.audible:
                continue
            if not entry.text:
                self._history.drop(entry)
                continue
            entry.interrupted = entry.final = True
            for part in entry.parts.values():
                part.finished = True

    def _cut(self, entry: Entry) -> list[Effect]:
        entry.interrupted = entry.final = True
        for part in entry.parts.values():
            part.finished = True
        if not entry.spoken or not self._options.can_truncate or not entry.server_id:
            return []
        if entry.heard_ms == 0:
            return [Send(ConversationItemDelete(item_id=entry.server_id))]
        return [
            Send(ConversationItemTruncate(item_id=entry.server_id, content_index=index, audio_end_ms=part.heard_ms))
            for index, part in entry.parts.items()
            if part.heard_ms < part.received_ms or not part.complete
        ]
