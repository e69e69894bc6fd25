"""One response of the model's, from the request for it to its end: its state, its items, and what each piece adds."""

from __future__ import annotations

from typing import Literal

import msgspec

from realtime_cli.audio.core.pcm import base64_bytes
from realtime_cli.conversation.effects import Effect, EndOfAudio, Play, Show
from realtime_cli.conversation.history import UNNAMED, Entry, History, PartAudio
from realtime_cli.conversation.records import AssistantDelta
from realtime_cli.conversation.states import RESPONSE_MOVES, ResponseEvent, ResponseState
from realtime_cli.protocol.client_events import ResponseCreate
from realtime_cli.protocol.items import Item
from realtime_cli.protocol.response_events import (
    OutputAudioDelta,
    OutputAudioDone,
    OutputTextDelta,
    OutputTextDone,
    OutputTranscriptDelta,
    OutputTranscriptDone,
)

ContentEvent = (
    OutputAudioDelta | OutputAudioDone | OutputTextDelta | OutputTextDone | OutputTranscriptDelta | OutputTranscriptDone
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A response that is to be asked for."""

    reason: Literal["turn", "tools", "again"] = "turn"
    """A turn of the user's, results of function calls, or a request that was refused while another was active."""
    instructions: str | None = None
    may_call: bool = True
    """Whether the model may call functions in it."""
    retried: bool = False
    """It was asked for before, in vain."""
    not_before: float = 0.0
    """When it may be asked for, on the core's clock."""

    def event(self) -> ResponseCreate:
        """The request."""
        body = {"instructions": self.instructions} if self.instructions else {}
        body |= {} if self.may_call else {"tool_choice": "none"}
        return ResponseCreate(response=body or None)


class Reply(msgspec.Struct, eq=False):
    """One response, as far as it has come. ``id`` is the server's, or one of our own where that left it out."""

    state: ResponseState = ResponseState.ASKED
    id: str = ""
    wish: Wish | None = None
    """What it was asked for; None where the server answers by itself."""
    turn_id: str = ""
    """Item of the turn that the server answers."""
    asked_at: float = 0.0
    knows: int = 0
    """How many results of function calls were in when it was asked for."""
    called: bool = False
    """It brought something else than a message, such as a function call."""
    suspect_since: float | None = None
    """Since when nothing came after an error that may have been about it."""
    entries: list[Entry] = msgspec.field(default_factory=list)
    by_index: dict[int, Entry] = msgspec.field(default_factory=dict)

    def move(self, event: ResponseEvent) -> bool:
        """Go to the next state; False where there is no such move."""
        after = RESPONSE_MOVES.get((self.state, event))
        if after is not None:
            self.state = after
        return after is not None

    @property
    def empty(self) -> bool:
        """It brought nothing at all: no words, no sound, no call."""
        return not self.called and not any(entry.text or entry.parts for entry in self.entries)

    def entry(self, history: History, item_id: str, output_index: int, now: float) -> Entry | None:
        """The item of a piece. Some servers leave the item's id out, of all pieces or of some, and count outputs."""
        known = self.by_index.get(output_index)
        if item_id and not history.knows(item_id):
            nameless = [entry for entry in self.entries if not entry.server_id]
            if known is None and len(nameless) == 1:
                (known,) = nameless
            if known is not None and not known.server_id:
                history.name(known, item_id)
        if item_id or known is None:
            name = item_id or f"{UNNAMED}item {output_index} of {self.id}"
            known = history.entry(name, "assistant", now)
        if known is None or known.final:
            return None
        self.by_index.setdefault(output_index, known)
        if known not in self.entries:
            self.entries.append(known)
        return known

    def piece(self, entry: Entry, event: ContentEvent, *, plays: bool, elsewhere: bool = False) -> list[Effect]:
        """A piece of an item. ``plays``: there is somewhere to play audio; ``elsewhere``: another client plays it."""
        if isinstance(event, OutputTranscriptDelta | OutputTranscriptDone):
            entry.voiced = plays or elsewhere
            if elsewhere:
                entry.parts.setdefault(event.content_index, PartAudio(elsewhere=True))
        match event:
            case OutputTextDelta() | OutputTranscriptDelta():
                return _more_text(entry, event.delta)
            case OutputTextDone():
                return _whole_text(entry, event.text)
            case OutputTranscriptDone():
                return _whole_text(entry, event.transcript)
            case OutputAudioDelta() if plays:
                part = entry.parts.setdefault(event.content_index, PartAudio())
                part.received_bytes += base64_bytes(event.delta)
                return [Play(entry.item_id, event.content_index, event.delta)]
            case OutputAudioDone():
                return _end_audio(entry, event.content_index)
        return []

    def complete_from(self, history: History, item: Item, index: int, now: float) -> list[Effect]:
        """Take the text of a response's final items where no delta brought it."""
        if item.type != "message" or not item.words:
            return []
        if not item.id and self.entries and index not in self.by_index:
            return []
        entry = self.entry(history, item.id or "", index, now)
        return [] if entry is None else _whole_text(entry, item.words)

    def close(self, *, cut: bool) -> list[Effect]:
        """It is over, and no more of its items will come; ``cut``: it is not whole."""
        effects: list[Effect] = []
        for entry in self.entries:
            for index in entry.parts:
                effects += _end_audio(entry, index)
            entry.interrupted = entry.interrupted or (cut and not entry.final)
            entry.final = True
        return effects


def _more_text(entry: Entry, text: str) -> list[Effect]:
    entry.add_text(text)
    return [Show(AssistantDelta(item_id=entry.item_id, text=text))]


def _whole_text(entry: Entry, text: str) -> list[Effect]:
    """The ``done`` of a text: what the deltas left out of it, if a server sends none or loses one."""
    missing = text[len(entry.text) :] if text.startswith(entry.text) else ""
    return _more_text(entry, missing) if missing else []


def _end_audio(entry: Entry, content_index: int) -> list[Effect]:
    part = entry.parts.get(content_index)
    if part is None or part.complete or part.elsewhere:
        return []
    part.complete = True
    return [EndOfAudio(entry.item_id, content_index)]
