"""Drives the core of transcriptions: facts in, what it sends and tells kept."""

from __future__ import annotations

import json
from typing import Any

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    Effect,
    Send,
    Show,
)
from realtime_cli.conversation.records import (
    Transcribed,
)
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.transcription import Transcription
from realtime_cli.protocol.client_events import InputAudioBufferCommit, SessionUpdate
from realtime_cli.protocol.dialects import from_wire
from tests.scripted_talk import TRANSCRIPTION

BODY = {"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}


class Driver:
    """Tells a transcription facts and keeps what it wants."""

    def __init__(self, **options: Any) -> None:
        wanted = {"session": BODY, **options}
        self.core = Transcription(TranscriptionOptions(provider="test", model="m", **wanted))
        self.effects: list[Effect] = []
        self.now = 0.0

    def tell(self, *facts: f.Fact) -> list[Effect]:
        new = [effect for fact in facts for effect in self.core.handle(fact, self.now)]
        self.effects += new
        return new

    def says(self, kind: str, **fields: Any) -> list[Effect]:
        return self.tell(from_wire(json.dumps({"type": kind, "event_id": "e", **fields})))

    def begin(self) -> list[Effect]:
        self.tell(f.Opened())
        return self.says("session.created", session={"id": "sess_1", "type": "transcription"})

    def completed(self, item_id: str, text: str) -> list[Effect]:
        return self.says(f"{TRANSCRIPTION}.completed", item_id=item_id, content_index=0, transcript=text)

    def wait(self) -> list[Effect]:
        """Let time pass until something is due."""
        assert self.core.deadline is not None
        self.now = self.core.deadline
        return self.tell(f.Tick())

    @property
    def texts(self) -> list[str]:
        return [record.text for record in self.records(Transcribed)]

    def records(self, kind: type) -> list[Any]:
        return [it.record for it in self.effects if isinstance(it, Show) and isinstance(it.record, kind)]

    @property
    def commits(self) -> int:
        return sum(isinstance(it, Send) and isinstance(it.event, InputAudioBufferCommit) for it in self.effects)


def speech(driver: Driver, item_id: str, at_ms: int) -> None:
    driver.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=at_ms)
    driver.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=at_ms + 1000)


def sent(effects: list[Effect]) -> list[Any]:
    return [it.event.session for it in effects if isinstance(it, Send) and isinstance(it.event, SessionUpdate)]
