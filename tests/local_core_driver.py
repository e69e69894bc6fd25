"""Drives the local server's core with facts, and checks every event that it emits against the official types."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any, TypeVar

from realtime_cli.protocol.server_events import server_event_to_object
from realtime_cli.server.core.core import ServerCore, SessionPlan
from realtime_cli.server.core.effects import Effect, Emit, StartReply, Transcribe
from realtime_cli.server.core.facts import ClientMessage, Fact, ReplyFinished, ReplyPiece, Transcribed
from realtime_cli.server.listening.endpointing import MaybeEnded, SpeechStarted, SpeechStopped
from tests.schema_check import check_order, check_server_event

E = TypeVar("E")
Event = dict[str, Any]

COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
OPENED = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
SPOKEN_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
WRITTEN_END = ["response.output_text.done", *SPOKEN_END[2:]]

SECOND = bytes(48_000)
"""One second of silence as PCM16 at 24 kHz."""


class Driver:
    """One connection. ``events`` holds all that was emitted, ``effects`` all that was asked for besides."""

    def __init__(self, kind: Any = "realtime", **plan: Any) -> None:
        numbers: Counter[str] = Counter()

        def new_id(prefix: str) -> str:
            numbers[prefix] += 1
            return f"{prefix}_{numbers[prefix]}"

        self.core = ServerCore(new_id, SessionPlan(kind=kind, **plan))
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.now = 0.0
        self._take(self.core.open())

    def tell(self, *facts: Fact) -> list[Event]:
        """Tell facts; returns the events they caused."""
        before = len(self.events)
        for fact in facts:
            self._take(self.core.handle(fact, self.now))
        check_order(self.events)
        return self.events[before:]

    def send(self, kind: str, **fields: Any) -> list[Event]:
        """Send a client event; returns the events it caused."""
        return self.tell(ClientMessage(json.dumps({"type": kind, **fields})))

    def update(self, **session: Any) -> list[Event]:
        """Send a session.update."""
        return self.send("session.update", session={"type": "realtime", **session})

    def refused(self, kind: str, **fields: Any) -> tuple[str | None, str | None]:
        """Send a client event that must cause one error and nothing else; returns its code and param."""
        (event,) = self.send(kind, event_id="mine", **fields)
        assert event["type"] == "error", event
        assert event["error"]["type"] == "invalid_request_error"
        assert event["error"]["event_id"] == "mine"
        return event["error"].get("code"), event["error"].get("param")

    def append(self, audio: bytes = SECOND) -> list[Event]:
        """Send audio."""
        return self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def last(self, kind: type[E]) -> E:
        """The latest effect of a kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)][-1]

    def said(self, text: str) -> list[Event]:
        """The latest recognition came to this."""
        return self.tell(Transcribed(self.last(Transcribe).job, text))

    def replied(self, *pieces: tuple[str, bytes], cut_off: bool = False) -> list[Event]:
        """The latest reply came to these pieces, and to its end."""
        response_id = self.last(StartReply).response_id
        made = [ReplyPiece(response_id, text, audio) for text, audio in pieces]
        return self.tell(*made, ReplyFinished(response_id, cut_off))

    def text(self, text: str, **fields: Any) -> list[Event]:
        """Put a user's text into the conversation."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        return self.send("conversation.item.create", item={**item, **fields})

    def spoken_turn(self, text: str, start_ms: int = 0, end_ms: int = 1000) -> list[Event]:
        """The ear hears a turn, whose words are recognised before its end is sure."""
        before = len(self.events)
        self.append()
        self.tell(SpeechStarted(start_ms), MaybeEnded(end_ms - 300))
        self.said(text)
        self.tell(SpeechStopped(end_ms))
        return self.events[before:]

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Emit):
                event = server_event_to_object(effect.event)
                check_server_event(event)
                self.events.append(event)
            else:
                self.effects.append(effect)


def types(events: list[Event]) -> list[str]:
    """The types alone."""
    return [event["type"] for event in events]


def of_type(events: list[Event], kind: str) -> Event:
    """The only event of a type."""
    (found,) = (event for event in events if event["type"] == kind)
    return found


def replying() -> Driver:
    """A driver whose spoken response has said one sentence of half a second and is not done."""
    driver = Driver()
    driver.spoken_turn("Hello.")
    driver.tell(ReplyPiece("resp_1", "Hi there. ", SECOND[:24_000]))
    return driver
