"""The user's side: turns that are spoken, typed or recorded, and the transcripts of what was said."""

from __future__ import annotations

from collections import deque

import msgspec

from realtime_cli.conversation.effects import CloseMic, Effect, Feed, OpenMic, Send, Show
from realtime_cli.conversation.facts import MicClosed, Spoken, Typed, Wanted
from realtime_cli.conversation.history import UNNAMED, Entry, History
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import MicChanged, Notice, UserSaid
from realtime_cli.conversation.responses import Replies
from realtime_cli.protocol.client_events import (
    ConversationItemCreate,
    InputAudioBufferClear,
    InputAudioBufferCommit,
)
from realtime_cli.protocol.conversation_events import (
    InputAudioBufferCommitted,
    SpeechStarted,
    SpeechStopped,
    TranscriptionCompleted,
    TranscriptionDelta,
    TranscriptionFailed,
)
from realtime_cli.protocol.items import Content, Item

MIN_COMMIT_MS = 100
"""The least audio that a commit takes; less is an error, ``input_audio_buffer_commit_empty``."""


class Turns(msgspec.Struct):
    """The one owner of what is known about the user's turns."""

    options: ConversationOptions
    history: History
    replies: Replies
    speaking: bool = False
    """The server hears the user, or the talk key is down."""
    pressed_at: float | None = None
    """Since when the talk key is down."""
    opening: bool = False
    """The talk key is down, and the microphone does not deliver yet."""
    discarding: bool = False
    """What the microphone delivered since the talk key went down is not to be sent."""
    feeding: bool = False
    """A recording is being sent."""
    waiting: deque[Typed | Spoken | Wanted] = msgspec.field(default_factory=deque)
    """Turns that are said but not sent, because an answer is still going on."""
    ended_at: float | None = None
    """When the user's last turn ended; latencies count from here."""
    count: int = 0
    """Turns of the user's so far."""
    _typed: int = 0

    @property
    def unread(self) -> bool:
        """Whether a transcript of the user is still to come."""
        return bool(self.history.untold("user"))

    def next_input(self, now: float) -> list[Effect]:
        """Send the next waiting turn."""
        turn = self.waiting.popleft()
        if isinstance(turn, Spoken):
            self.feeding = True
            return [Feed(turn.source)]
        if isinstance(turn, Wanted):
            self.ended_at = now
            return self.replies.ask(turn.instructions)
        self._typed += 1
        self.count += 1
        entry = self.history.entry(f"typed_{self._typed:06d}", "user")
        words = (Content(type="input_text", text=turn.text),) if turn.text else ()
        item = Item(id=entry.item_id, type="message", role="user", content=(*words, *turn.parts))
        self.ended_at = now
        return [Send(ConversationItemCreate(item=item)), *self._tell(entry, turn.text), *self.replies.ask()]

    def fed(self, now: float) -> list[Effect]:
        """A recording has been sent."""
        self.feeding = False
        self.ended_at = now
        self.count += 1
        return [Send(InputAudioBufferCommit()), *self.replies.ask()]

    @property
    def release_due(self) -> float | None:
        """When a talk key that is still down has been so for too long."""
        return None if self.pressed_at is None else self.pressed_at + self.options.talk_limit_s

    def pressed(self, now: float) -> list[Effect]:
        """The talk key went down: whatever the model says is interrupted, and the microphone opens."""
        self.speaking = self.opening = True
        self.pressed_at = now
        return [*self.replies.interrupt(server_cancels=False), Send(InputAudioBufferClear()), OpenMic()]

    def released(self) -> list[Effect]:
        """The talk key went up: the microphone closes."""
        self.opening = False
        self.pressed_at = None
        return [CloseMic(), Show(MicChanged(state="closed"))]

    def discarded(self) -> list[Effect]:
        """What was said since the talk key went down is not wanted: the microphone closes, and nothing is sent."""
        self.discarding = True
        return self.released()

    def mic_opened(self) -> list[Effect]:
        """The microphone delivers: now is the time to talk."""
        if not self.opening:
            return []
        self.opening = False
        return [Show(MicChanged(state="open"))]

    def held_too_long(self) -> list[Effect]:
        """A key may be stuck, or forgotten: nobody's room is listened to for ever. What was said is sent."""
        limit = f"the talk key was down for {self.options.talk_limit_s:g} s: the microphone is closed (--ptt-max-s)"
        return [Show(Notice(text=limit)), *self.released()]

    def mic_closed(self, fact: MicClosed, now: float) -> list[Effect]:
        """The talk key went up: what was said is sent, if it is long enough to be speech."""
        self.speaking = False
        if self.discarding:
            self.discarding = False
            return [Send(InputAudioBufferClear()), Show(Notice(text="discarded: nothing was sent"))]
        if fact.spoken_ms < MIN_COMMIT_MS:
            return [Send(InputAudioBufferClear()), Show(Notice(text="too short: nothing was sent"))]
        self.ended_at = now
        self.count += 1
        return [Send(InputAudioBufferCommit()), *self.replies.ask()]

    def speech_started(self, event: SpeechStarted) -> list[Effect]:
        """The server hears the user: this interrupts a reply that is going on."""
        self.speaking = True
        effects = self.replies.interrupt(server_cancels=self.options.server_interrupts)
        if event.item_id:
            self.history.entry(event.item_id, "user")
        return effects

    def speech_stopped(self, event: SpeechStopped, now: float) -> None:
        """The server hears that the user stopped."""
        self.speaking = False
        self.ended_at = now
        if event.item_id:
            self.history.entry(event.item_id, "user")

    def committed(self, event: InputAudioBufferCommitted) -> list[Effect]:
        """The user's audio became an item; with the server deciding, a response follows by itself."""
        if self.options.server_decides_turns:
            self.speaking = False
            self.count += 1
            if self.options.server_answers:
                self.replies.owed = self.replies.active is None
        entry = self.history.entry(self._name(event.item_id), "user", event.previous_item_id)
        return [] if self.options.transcribes_user else self._tell(entry, "")

    def item(self, item: Item, previous_item_id: str | None) -> list[Effect]:
        """An item of the user's entered the conversation or is final."""
        if item.role != "user" or not item.id:
            return []
        if self.history.find(item.id) is None and {part.type for part in item.content or ()} == {"input_text"}:
            # A typed turn, which was told when it was sent: this server gives it an id of its own.
            return []
        entry = self.history.entry(item.id, "user", previous_item_id)
        return self._tell(entry, item.words) if item.words and not entry.told else []

    def transcribed(self, event: TranscriptionDelta | TranscriptionCompleted | TranscriptionFailed) -> list[Effect]:
        """A transcript of the user's grows, is complete, or failed."""
        entry = self.history.entry(self._name(event.item_id), "user")
        match event:
            case TranscriptionDelta():
                entry.add_text(event.delta)
                return []
            case TranscriptionCompleted():
                if not event.transcript.strip() and self.options.server_decides_turns:
                    # A noise that was no speech: the server owes no answer to it.
                    self.replies.owed = False
                    self.count -= 1
                return self._tell(entry, event.transcript.strip())
            case TranscriptionFailed():
                problem = event.error.message or "no reason given"
                return [*self._tell(entry, ""), Show(Notice(text=f"your words could not be transcribed: {problem}"))]

    def give_up_transcripts(self) -> list[Effect]:
        """Close the lines whose transcript did not come."""
        return [effect for entry in self.history.untold("user") for effect in self._tell(entry, entry.text)]

    def _name(self, item_id: str) -> str:
        """The id, or one of our own for the latest turn where a server leaves it out."""
        return item_id or f"{UNNAMED}turn {self.count}"

    def _tell(self, entry: Entry, text: str) -> list[Effect]:
        if entry.told:
            return []
        entry.text, entry.final, entry.told = text, True, True
        return [Show(UserSaid(item_id=entry.item_id, text=text))]
