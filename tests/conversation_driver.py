"""Drives the conversation core with facts, and keeps what it asks for."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from realtime_cli.audio.core.playout import Played, Playout
from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.protocol.client_events import client_event_to_object
from realtime_cli.protocol.server_events import server_event_from_object

SESSION = {"type": "realtime"}
SECOND = base64.b64encode(bytes(48_000)).decode()
"""One second of silence as events carry it."""


def said(name: str, **fields: Any) -> Any:
    """A server event."""
    return server_event_from_object({"type": name, **fields})


def play(playout: Playout, effect: e.Play | e.EndOfAudio | e.Flush, now: float = 0.0) -> list[f.Flushed]:
    """What a session does with the model's voice, and what it then tells the core."""
    match effect:
        case e.Play():
            pcm = np.frombuffer(base64.b64decode(effect.delta), "<i2")
            playout.push(playout.epoch, effect.item_id, effect.content_index, pcm, now)
        case e.EndOfAudio():
            playout.finish(playout.epoch, effect.item_id, effect.content_index, now)
        case e.Flush():
            return [f.Flushed(tuple(map(heard, playout.flush())))]
    return []


def heard(part: Played) -> f.Heard:
    """What a session tells the core of how far a part was played."""
    return f.Heard(part.item_id, part.content_index, part.heard_ms, part.finished)


class Drive:
    """Tells a conversation facts at times that the test names, and keeps what it asked for."""

    def __init__(self, **options: Any) -> None:
        self.core = Conversation(ConversationOptions(provider="test", **{"session": SESSION, **options}))
        self.effects: list[e.Effect] = []
        self.now = 0.0
        self.heard: dict[str, int] = {}

    def tell(self, *facts: Any, at: float | None = None) -> Drive:
        self.now = self.now if at is None else at
        for fact in facts:
            self._carry_out(self.core.handle(fact, self.now))
        return self

    def _carry_out(self, effects: list[e.Effect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, e.Flush):
                parts = tuple(f.Heard(item, 0, ms, finished=False) for item, ms in self.heard.items())
                self.tell(f.Flushed(parts))
            if isinstance(effect, e.CloseMic):
                self.tell(f.MicClosed(self.heard.get("microphone", 0)))

    @property
    def sent(self) -> list[dict[str, Any]]:
        events = [client_event_to_object(x.event) for x in self.effects if isinstance(x, e.Send)]
        return [{key: value for key, value in event.items() if key != "event_id"} for event in events]

    @property
    def sent_types(self) -> list[str]:
        return [event["type"] for event in self.sent]

    def shown(self, kind: type) -> list[Any]:
        return [x.record for x in self.effects if isinstance(x, e.Show) and isinstance(x.record, kind)]

    @property
    def exit_code(self) -> int | None:
        ends = [x.exit_code for x in self.effects if isinstance(x, e.End)]
        assert len(ends) <= 1
        return ends[0] if ends else None


HELLO = said("session.created", session={"id": "sess_1", "model": "m", "type": "realtime"})


def reply(
    response: str = "resp_1", item: str = "item_a", seconds: int = 2, text: str = "Hello there friend"
) -> list[Any]:
    """A spoken reply up to and without its ``response.done``."""
    ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    message = {"id": item, "type": "message", "role": "assistant"}
    return [
        said("response.created", response={"id": response}),
        said("response.output_item.added", response_id=response, item=message),
        said("response.output_audio_transcript.delta", **ids, delta=text),
        *[said("response.output_audio.delta", **ids, delta=SECOND) for _ in range(seconds)],
    ]


def done(response: str = "resp_1", status: str = "completed", **fields: Any) -> Any:
    """The end of a response."""
    return said("response.done", response={"id": response, "status": status, **fields})


def user_turn(item: str = "item_u") -> list[Any]:
    """The user speaks: from the first sound to the item."""
    return [
        said("input_audio_buffer.speech_started", item_id=item),
        said("input_audio_buffer.speech_stopped", item_id=item),
        said("input_audio_buffer.committed", item_id=item),
    ]
