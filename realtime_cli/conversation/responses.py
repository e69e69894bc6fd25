"""The model's side: responses, what is active, what of them was heard, and what an interruption must send.

Only one response may be active in the default conversation, so a request for one waits for the end of the one before.
"""

from __future__ import annotations

import msgspec

from realtime_cli.audio.core.pcm import base64_bytes
from realtime_cli.conversation.effects import Effect, EndOfAudio, Flush, Play, Send, Show
from realtime_cli.conversation.facts import Flushed, Heard
from realtime_cli.conversation.history import UNNAMED, Entry, History, PartAudio
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import AssistantDelta, AssistantSaid
from realtime_cli.protocol.client_events import (
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
)
from realtime_cli.protocol.items import Item, Response
from realtime_cli.protocol.response_events import (
    OutputAudioDelta,
    OutputAudioDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    OutputTranscriptDelta,
    OutputTranscriptDone,
)

ContentEvent = (
    OutputAudioDelta | OutputAudioDone | OutputTextDelta | OutputTextDone | OutputTranscriptDelta | OutputTranscriptDone
)


class Replies(msgspec.Struct):
    """The one owner of what is known about responses."""

    options: ConversationOptions
    history: History
    active: str | None = None
    """Id of the response in progress."""
    owed: bool = False
    """A response was asked for, or is due by the server's own decision, and has not begun."""
    empty: bool = False
    """The response that ended last brought nothing at all: no words, no sound, no call."""
    _wanted: bool = False
    _cancel_on_arrival: bool = False
    _dead: set[str] = msgspec.field(default_factory=set)
    _done: int = 0

    @property
    def busy(self) -> bool:
        """Whether the model owes something or is answering."""
        return self.owed or self._wanted or self.active is not None

    @property
    def audible(self) -> bool:
        """Whether something is still to be heard."""
        return any(entry.audible for entry in self.history.untold("assistant"))

    def ask(self, instructions: str | None = None) -> list[Effect]:
        """Ask for a response, now or as soon as the active one has ended (then without ``instructions``)."""
        if self.active is not None or self.owed:
            self._wanted = True
            return []
        self.owed, self._cancel_on_arrival = True, False
        return [Send(ResponseCreate(response={"instructions": instructions} if instructions else None))]

    def refused(self, *, because_active: bool) -> None:
        """The server refused the response that was asked for."""
        self.owed = False
        self._wanted = because_active

    def turn_refused(self) -> None:
        """The server refused a turn: the reply that was asked for along with it would answer something else."""
        self._cancel_on_arrival = self.owed

    def created(self, response: Response) -> list[Effect]:
        """A response began."""
        self.active = self._name(response.id)
        self.owed = False
        if not self._cancel_on_arrival:
            return []
        self._cancel_on_arrival = False
        return self._kill(cancel=True)

    def item_added(self, event: OutputItemAdded | OutputItemDone) -> None:
        """A response began or finished an item."""
        if event.item.type == "message" and event.item.id and self._alive(event.response_id):
            self._entry(event.item.id, event.response_id)

    def content(self, event: ContentEvent) -> list[Effect]:
        """A piece of a reply. Pieces of a response that was interrupted die here."""
        if not self._alive(event.response_id):
            return []
        entry = self._entry(event.item_id, event.response_id)
        match event:
            case OutputTextDelta() | OutputTranscriptDelta():
                entry.add_text(event.delta)
                return [Show(AssistantDelta(item_id=entry.item_id, text=event.delta))]
            case OutputTextDone():
                return self._whole_text(entry, event.text)
            case OutputTranscriptDone():
                return self._whole_text(entry, event.transcript)
            case OutputAudioDelta() if self.options.plays:
                part = entry.parts.setdefault(event.content_index, PartAudio())
                part.received_bytes += base64_bytes(event.delta)
                return [Play(entry.item_id, event.content_index, event.delta)]
            case OutputAudioDone():
                return self._end_audio(entry, event.content_index)
        return []

    def done(self, response: Response) -> list[Effect]:
        """A response ended, whatever its status; asks for the next one if it was waiting."""
        effects: list[Effect] = []
        response_id = self._name(response.id)
        self._done += 1
        self.empty = False
        if response_id not in self._dead:
            for item in response.output or ():
                effects += self._complete_from(item, response_id)
            entries = self.history.of_response(response_id)
            calls = (item for item in response.output or () if item.type != "message")
            self.empty = not any(entry.text or entry.spoken for entry in entries) and not any(calls)
            for entry in entries:
                for index in entry.parts:
                    effects += self._end_audio(entry, index)
                entry.final = True
                effects += self._tell_if_over(entry)
        self._dead.discard(response_id)
        if self.active in (response_id, None):
            self.active, self.owed = None, False
        if self._wanted and self.active is None and not self.owed:
            self._wanted = False
            effects += self.ask()
        return effects

    def heard(self, fact: Heard) -> list[Effect]:
        """Playback went on."""
        entry = self.history.find(fact.item_id)
        if entry is None or fact.content_index not in entry.parts:
            return []
        part = entry.parts[fact.content_index]
        part.heard_ms = min(fact.heard_ms, part.received_ms)
        part.finished = part.finished or fact.finished
        return self._tell_if_over(entry)

    def interrupt(self, *, server_cancels: bool) -> list[Effect]:
        """The user cuts in: silence at once, and no more of the active response."""
        silence: list[Effect] = [Flush()] if self.audible or self.active is not None else []
        if self.active is not None:
            # The cancel goes first: a server may refuse to truncate what it is still writing.
            return [*self._kill(cancel=not server_cancels), *silence]
        self._cancel_on_arrival = self.owed and not server_cancels
        return silence

    def stop(self) -> list[Effect]:
        """A key stops what is being said, or about to be."""
        self._wanted = False
        return self.interrupt(server_cancels=False)

    def flushed(self, fact: Flushed) -> list[Effect]:
        """The playback fell silent: tell the server exactly what was heard, never more than was received."""
        effects: list[Effect] = []
        for part in fact.parts:
            effects += self.heard(part)
        for entry in self.history.untold("assistant"):
            if entry.audible or not entry.final:
                effects += self._cut(entry)
        return effects

    def cut_off(self) -> list[Effect]:
        """The conversation ends: tell what was heard of the replies that are cut off by it."""
        effects: list[Effect] = []
        for entry in self.history.untold("assistant"):
            if entry.text:
                entry.interrupted = entry.told = True
                effects.append(Show(_said(entry)))
        return effects

    def _cut(self, entry: Entry) -> list[Effect]:
        entry.interrupted = entry.final = True
        for part in entry.parts.values():
            part.finished = True
        return [*self._forget_unheard(entry), *self._tell_if_over(entry)]

    def _forget_unheard(self, entry: Entry) -> list[Effect]:
        if not entry.spoken or not self.options.can_truncate or entry.item_id.startswith(UNNAMED):
            return []
        if entry.heard_ms == 0:
            return [Send(ConversationItemDelete(item_id=entry.item_id))]
        return [
            Send(ConversationItemTruncate(item_id=entry.item_id, content_index=index, audio_end_ms=part.heard_ms))
            for index, part in entry.parts.items()
            if part.heard_ms < part.received_ms or not part.complete
        ]

    def _kill(self, *, cancel: bool) -> list[Effect]:
        response_id = self.active or ""
        self._dead.add(response_id)
        if cancel and self.options.can_cancel:
            named = response_id and not response_id.startswith(UNNAMED)
            return [Send(ResponseCancel(response_id=response_id if named else None))]
        return []

    def _alive(self, response_id: str) -> bool:
        return self._name(response_id) not in self._dead

    def _name(self, response_id: str) -> str:
        """The id, or one of our own: some servers leave ids out, and one reply at a time is then all there can be."""
        return response_id or self.active or f"{UNNAMED}response {self._done + 1}"

    def _entry(self, item_id: str, response_id: str) -> Entry:
        response_id = self._name(response_id)
        entry = self.history.entry(item_id or f"{UNNAMED}item of {response_id}", "assistant")
        entry.response_id = response_id
        return entry

    def _whole_text(self, entry: Entry, text: str) -> list[Effect]:
        """The ``done`` of a text: what the deltas left out of it, if a server sends none or loses one."""
        missing = text[len(entry.text) :] if text.startswith(entry.text) else ""
        if not missing:
            return []
        entry.add_text(missing)
        return [Show(AssistantDelta(item_id=entry.item_id, text=missing))]

    def _complete_from(self, item: Item, response_id: str) -> list[Effect]:
        """Take the text of a response's final items where no delta brought it."""
        if item.type != "message" or not item.id or not item.words:
            return []
        return self._whole_text(self._entry(item.id, response_id), item.words)

    def _end_audio(self, entry: Entry, content_index: int) -> list[Effect]:
        part = entry.parts.get(content_index)
        if part is None or part.complete:
            return []
        part.complete = True
        return [EndOfAudio(entry.item_id, content_index)]

    def _tell_if_over(self, entry: Entry) -> list[Effect]:
        if entry.told or not entry.final or entry.audible:
            return []
        entry.told = True
        return [Show(_said(entry))]


def _said(entry: Entry) -> AssistantSaid:
    return AssistantSaid(
        item_id=entry.item_id,
        text=entry.heard_text,
        heard_ms=entry.heard_ms if entry.spoken else None,
        interrupted=entry.interrupted,
    )
