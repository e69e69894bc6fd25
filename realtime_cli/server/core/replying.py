"""One response, from ``response.created`` to ``response.done``, as the events the client sees.

The order is the remote service's: a spoken reply gives a sentence's transcript and then its sound, and everything that
began is closed again, whatever became of the response.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from realtime_cli.protocol import conversation_events as conversation
from realtime_cli.protocol import response_events as events
from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.items import (
    Content,
    ErrorDetail,
    InputTokens,
    Item,
    OutputTokens,
    Response,
    StatusDetails,
    Usage,
)
from realtime_cli.server.core.history import Entry, History, Sentence

DELTA_MS = 200
"""How much sound one delta carries."""

BYTES_PER_MS = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}
"""PCM16 at 24 kHz; G.711 has one byte a frame at 8 kHz."""

OUTPUT_TOKENS_PER_S = 20
"""What the remote service counts for a second of its own voice."""

Status: TypeAlias = Literal["completed", "cancelled", "incomplete", "failed"]


@dataclass(frozen=True, slots=True)
class Options:
    """The session's settings with what ``response.create`` overrides."""

    modality: str
    instructions: str
    voice: str
    speed: float
    audio_format: Mapping[str, Any]
    max_output_tokens: int | str
    metadata: Mapping[str, Any] | None
    in_conversation: bool

    @property
    def spoken(self) -> bool:
        """Sound as well as words."""
        return self.modality == "audio"


def options(session: Mapping[str, Any], overrides: Mapping[str, Any]) -> Options:
    """Settings of one response; ``overrides`` have passed their checks."""
    output = {**session["audio"]["output"], **overrides.get("audio", {}).get("output", {})}
    voice = output["voice"]
    merged = {**session, **overrides}
    return Options(
        modality=merged["output_modalities"][0],
        instructions=merged["instructions"],
        voice=voice["id"] if isinstance(voice, Mapping) else voice,
        speed=output["speed"],
        audio_format=output["format"],
        max_output_tokens=merged["max_output_tokens"],
        metadata=overrides.get("metadata"),
        in_conversation=merged.get("conversation") != "none",
    )


class Reply:
    """A response in progress. Its item joins ``history`` with the first piece, unless it is out of band."""

    def __init__(self, response_id: str, item_id: str, conversation_id: str, settings: Options) -> None:
        self.id = response_id
        self.options = settings
        self._conversation_id = conversation_id if settings.in_conversation else None
        self._entry = Entry(Item(id=item_id, object="realtime.item", type="message", role="assistant"))
        self._opened = False
        self._words = ""
        self._audio_bytes = 0
        self._tokens = 0
        self.input_tokens = InputTokens(text_tokens=0, audio_tokens=0, cached_tokens=0)

    @property
    def audio_ms(self) -> int:
        """How much sound was sent."""
        return self._audio_bytes // BYTES_PER_MS[self.options.audio_format["type"]]

    def created(self) -> ServerEvent:
        """The response begins."""
        return events.ResponseCreated(response=self._response("in_progress"))

    def piece(self, text: str, audio: bytes, tokens: int, history: History) -> Iterator[ServerEvent]:
        """Words, and their sound when it is a spoken reply."""
        if not self._opened:
            yield from self._open(history)
        start_ms = self.audio_ms
        self._words += text
        self._tokens += tokens
        self._audio_bytes += len(audio)
        if not self.options.spoken:
            self._entry.item = self._item("in_progress", (Content(type="output_text", text=self._words),))
            yield events.OutputTextDelta(**self._place(), delta=text)
        else:
            self._remember(Sentence(text, start_ms, self.audio_ms))
            yield events.OutputTranscriptDelta(**self._place(), delta=text)
            step = DELTA_MS * BYTES_PER_MS[self.options.audio_format["type"]]
            for at in range(0, len(audio), step):
                delta = base64.b64encode(audio[at : at + step]).decode()
                yield events.OutputAudioDelta(**self._place(), delta=delta)

    def end(
        self, status: Status, history: History, reason: str | None = None, error: ErrorDetail | None = None
    ) -> Iterator[ServerEvent]:
        """Close what was opened, then the response."""
        if self._opened:
            yield from self._close("completed" if status == "completed" else "incomplete", history)
        details = None if status == "completed" else StatusDetails(type=status, reason=reason, error=error)
        yield events.ResponseDone(response=self._response(status, details, self._usage()))

    def _open(self, history: History) -> Iterator[ServerEvent]:
        self._opened = True
        item = self._entry.item = self._item("in_progress", ())
        yield events.OutputItemAdded(response_id=self.id, output_index=0, item=item)
        if self.options.in_conversation:
            yield conversation.ConversationItemAdded(item=item, previous_item_id=history.add(self._entry))
        yield events.ContentPartAdded(**self._place(), part=self._part(""))

    def _close(self, item_status: str, history: History) -> Iterator[ServerEvent]:
        if self.options.spoken:
            yield events.OutputAudioDone(**self._place())
            yield events.OutputTranscriptDone(**self._place(), transcript=self._words)
        else:
            yield events.OutputTextDone(**self._place(), text=self._words)
        yield events.ContentPartDone(**self._place(), part=self._part(self._words))
        item = self._entry.item = self._item(item_status, self._entry.item.content or ())
        if self._entry in history.entries():
            yield conversation.ConversationItemDone(item=item, previous_item_id=history.previous_id(self._entry))
        yield events.OutputItemDone(response_id=self.id, output_index=0, item=item)

    def _place(self) -> dict[str, Any]:
        return {
            "response_id": self.id,
            "item_id": self._entry.id,
            "output_index": 0,
            "content_index": 0,
        }

    def _part(self, words: str) -> Content:
        return Content(type="audio", transcript=words) if self.options.spoken else Content(type="text", text=words)

    def _remember(self, sentence: Sentence) -> None:
        if not self._entry.cut:
            self._entry.sentences.append(sentence)
            self._entry.item = self._item("in_progress", (Content(type="output_audio", transcript=self._words),))

    def _item(self, status: str, content: tuple[Content, ...]) -> Item:
        return Item(
            id=self._entry.id,
            object="realtime.item",
            type="message",
            role="assistant",
            status=status,
            content=content,
        )

    def _response(self, status: str, details: StatusDetails | None = None, usage: Usage | None = None) -> Response:
        audio = {"output": {"format": self.options.audio_format, "voice": self.options.voice}}
        return Response(
            id=self.id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=(self._entry.item,) if self._opened else (),
            conversation_id=self._conversation_id,
            output_modalities=(self.options.modality,),
            max_output_tokens=self.options.max_output_tokens,
            audio=audio if self.options.spoken else None,
            metadata=self.options.metadata,
            usage=usage,
        )

    def _usage(self) -> Usage:
        spoken = self.audio_ms * OUTPUT_TOKENS_PER_S // 1000
        read = (self.input_tokens.text_tokens or 0) + (self.input_tokens.audio_tokens or 0)
        return Usage(
            total_tokens=read + self._tokens + spoken,
            input_tokens=read,
            output_tokens=self._tokens + spoken,
            input_token_details=self.input_tokens,
            output_token_details=OutputTokens(text_tokens=self._tokens, audio_tokens=spoken),
        )
