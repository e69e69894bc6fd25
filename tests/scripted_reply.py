"""One reply of the scripted server, event by event in the order of the live service."""

from __future__ import annotations

import array
import base64
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scripted_talk import Talk

RATE_HZ = 24_000


def tone(ms: int, hz: float = 440.0, level: int = 8_000) -> bytes:
    """A sine tone, PCM16 24 kHz mono."""
    frames = RATE_HZ * ms // 1000
    wave = array.array("h", (int(level * math.sin(2 * math.pi * hz * n / RATE_HZ)) for n in range(frames)))
    return wave.tobytes()


class Reply:
    """A response in progress: ``say`` as often as you like, then ``finish`` (or ``fail``) once."""

    def __init__(self, talk: Talk, *, text_only: bool) -> None:
        self._talk = talk
        self._text_only = text_only
        self._said = ""
        self.response_id = talk.new_id("resp")
        self.item_id = talk.new_id("item")
        talk.active = self
        talk.send({"type": "response.created", "response": self._response("in_progress", [])})
        self._opened = False

    def say(self, text: str, *, audio_ms: int = 0, delta_bytes: int = 9600, pauses_s: tuple[float, ...] = ()) -> None:
        """Stream ``text``, as a transcript with ``audio_ms`` of tone if the reply is spoken.

        ``pauses_s``: seconds to stall before each audio delta, over and over; for jitter.
        """
        self._open()
        for word in text.split(" "):
            piece = f" {word}" if self._said else word
            self._said += piece
            kind = "output_text" if self._text_only else "output_audio_transcript"
            self._talk.send({"type": f"response.{kind}.delta", **self._place(), "delta": piece})
        if self._text_only:
            return
        sound = tone(audio_ms)
        for number, start in enumerate(range(0, len(sound), delta_bytes)):
            if pauses_s:
                self._talk.pause(pauses_s[number % len(pauses_s)])
            delta = base64.b64encode(sound[start : start + delta_bytes]).decode()
            self._talk.send({"type": "response.output_audio.delta", **self._place(), "delta": delta})

    def finish(self, status: str = "completed", reason: str | None = None) -> None:
        """End the reply; ``reason`` of a cancelled or incomplete one."""
        whole = status == "completed"
        output = []
        if self._opened:
            self._close_part()
            item = self._item("completed" if whole else "incomplete", [self._content()])
            self._talk.send({"type": "conversation.item.done", "previous_item_id": None, "item": item})
            self._talk.send({"type": "response.output_item.done", **self._response_place(), "item": item})
            output = [item]
        details = None if whole else {"type": status, **({"reason": reason} if reason else {})}
        self._done(status, details, output)

    def fail(self, code: str, message: str) -> None:
        """End the reply as failed, as the live service does when the model's side fails."""
        self._done(
            "failed", {"type": "failed", "error": {"type": "server_error", "code": code, "message": message}}, []
        )

    def _done(self, status: str, details: dict[str, Any] | None, output: list[dict[str, Any]]) -> None:
        self._talk.active = None
        response = self._response(status, output) | {"status_details": details, "usage": _usage()}
        self._talk.send({"type": "response.done", "response": response})
        limit = {"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}
        self._talk.send({"type": "rate_limits.updated", "rate_limits": [limit]})

    def _open(self) -> None:
        if self._opened:
            return
        self._opened = True
        item = self._item("in_progress", [])
        self._talk.send({"type": "response.output_item.added", **self._response_place(), "item": item})
        self._talk.send({"type": "conversation.item.added", "previous_item_id": None, "item": item})
        self._talk.send({"type": "response.content_part.added", **self._place(), "part": self._part("")})

    def _close_part(self) -> None:
        if self._text_only:
            self._talk.send({"type": "response.output_text.done", **self._place(), "text": self._said})
        else:
            self._talk.send({"type": "response.output_audio.done", **self._place()})
            done = {"type": "response.output_audio_transcript.done", **self._place(), "transcript": self._said}
            self._talk.send(done)
        self._talk.send({"type": "response.content_part.done", **self._place(), "part": self._part(self._said)})

    def _response_place(self) -> dict[str, Any]:
        return {"response_id": self.response_id, "output_index": 0}

    def _place(self) -> dict[str, Any]:
        return {**self._response_place(), "item_id": self.item_id, "content_index": 0}

    def _part(self, words: str) -> dict[str, Any]:
        return {"type": "text", "text": words} if self._text_only else {"type": "audio", "transcript": words}

    def _content(self) -> dict[str, Any]:
        if self._text_only:
            return {"type": "output_text", "text": self._said}
        return {"type": "output_audio", "transcript": self._said}

    def _item(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        kind = {"id": self.item_id, "object": "realtime.item", "type": "message"}
        return {**kind, "role": "assistant", "status": status, "content": content}

    def _response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.response_id,
            "object": "realtime.response",
            "status": status,
            "status_details": None,
            "output": output,
            "conversation_id": "conv_1",
            "output_modalities": ["text"] if self._text_only else ["audio"],
            "max_output_tokens": "inf",
            "metadata": None,
            "usage": None,
        }


def _usage() -> dict[str, Any]:
    cached = {"text_tokens": 4, "audio_tokens": 0, "image_tokens": 0}
    read = {"text_tokens": 10, "audio_tokens": 20, "image_tokens": 0, "cached_tokens": 4}
    return {
        "total_tokens": 45,
        "input_tokens": 30,
        "output_tokens": 15,
        "input_token_details": {**read, "cached_tokens_details": cached},
        "output_token_details": {"text_tokens": 5, "audio_tokens": 10},
    }
