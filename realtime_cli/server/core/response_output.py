"""What one response puts out, from ``response.created`` to ``response.done``, as the events the client sees.

The order is the remote service's: a spoken reply gives a sentence's transcript and then its sound, words and calls are
items of their own, one open at a time, and everything that began is closed again, whatever became of the response.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from msgspec.structs import replace

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
from realtime_cli.server.core.effects import NewId
from realtime_cli.server.core.entries import Entry, Sentence
from realtime_cli.server.core.items import Items
from realtime_cli.server.engines.interface import NO_TOOLS, UNCOUNTED, Ended, Function, Tools

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
    voice: Any
    speed: float
    audio_format: Mapping[str, Any]
    max_output_tokens: int | str
    metadata: Mapping[str, Any] | None
    in_conversation: bool
    tools: Tools

    @property
    def spoken(self) -> bool:
        """Sound as well as words."""
        return self.modality == "audio"

    @property
    def voice_name(self) -> str:
        """The voice's name, or the id of a custom one."""
        return str(self.voice["id"] if isinstance(self.voice, Mapping) else self.voice)


def options(session: Mapping[str, Any], overrides: Mapping[str, Any]) -> Options:
    """Settings of one response; ``overrides`` have passed their checks."""
    output = {**session["audio"]["output"], **overrides.get("audio", {}).get("output", {})}
    merged = {**session, **overrides}
    return Options(
        modality=merged["output_modalities"][0],
        instructions=merged["instructions"],
        voice=output["voice"],
        speed=output["speed"],
        audio_format=output["format"],
        max_output_tokens=merged["max_output_tokens"],
        metadata=overrides.get("metadata"),
        in_conversation=merged.get("conversation") != "none",
        tools=_tools(merged),
    )


def _tools(settings: Mapping[str, Any]) -> Tools:
    """The functions on offer. MCP servers are not asked: this server calls nobody by itself."""
    functions = tuple(
        Function(tool["name"], tool.get("description") or "", tool.get("parameters") or {})
        for tool in settings["tools"]
        if tool["type"] == "function"
    )
    if not functions:
        return NO_TOOLS
    choice = settings["tool_choice"]
    parallel = settings.get("parallel_tool_calls", True) is not False
    if isinstance(choice, Mapping):
        return Tools(functions, "required", choice.get("name") or "", parallel)
    return Tools(functions, choice, parallel=parallel)


class ResponseOutput:
    """One response. Its items join the conversation when they begin, unless it is out of band."""

    def __init__(self, response_id: str, conversation_id: str, settings: Options, new_id: NewId) -> None:
        self.id = response_id
        self.options = settings
        self.input_tokens = InputTokens(text_tokens=0, audio_tokens=0, cached_tokens=0)
        self.counted: Ended = UNCOUNTED
        self._new_id = new_id
        self._conversation_id = conversation_id if settings.in_conversation else None
        self._entries: list[Entry] = []
        self._open: Entry | None = None
        self._words = ""
        """Of the message that is open."""
        self._arguments = ""
        """Of the call that is open."""
        self._audio_start_bytes = 0
        """Where in the response's sound the message that is open begins."""
        self._audio_bytes = 0
        self._tokens = 0

    @property
    def audio_ms(self) -> int:
        """How much sound was sent."""
        return self._audio_bytes // self._bytes_per_ms

    def created(self) -> ServerEvent:
        """The response begins."""
        return events.ResponseCreated(response=self._response("in_progress"))

    def message(self, text: str, audio: bytes, tokens: int, items: Items) -> Iterator[ServerEvent]:
        """Words, and their sound when it is a spoken reply."""
        if self._open is None or self._open.item.type != "message":
            yield from self._close("completed", items)
            yield from self._begin(Item(type="message", role="assistant", content=()), items)
            self._words = ""
            self._audio_start_bytes = self._audio_bytes
            yield events.ContentPartAdded(**self._place(content_index=0), part=self._part(""))
        start_ms = self._message_ms
        self._words += text
        self._tokens += tokens
        self._audio_bytes += len(audio)
        if not self.options.spoken:
            self._hold(Content(type="output_text", text=self._words))
            yield events.OutputTextDelta(**self._place(content_index=0), delta=text)
            return
        if not self._current.cut:
            self._current.say(Sentence(text, start_ms, self._message_ms))
            self._hold(Content(type="output_audio", transcript=self._words))
        if text:
            yield events.OutputTranscriptDelta(**self._place(content_index=0), delta=text)
        step = DELTA_MS * self._bytes_per_ms
        for at in range(0, len(audio), step):
            delta = base64.b64encode(audio[at : at + step]).decode()
            yield events.OutputAudioDelta(**self._place(content_index=0), delta=delta)

    def call(self, call_id: str, name: str, arguments: str, items: Items) -> Iterator[ServerEvent]:
        """A function call begins, or its arguments go on."""
        if self._open is None or self._open.item.call_id != call_id:
            yield from self._close("completed", items)
            yield from self._begin(Item(type="function_call", name=name, call_id=call_id, arguments=""), items)
            self._arguments = ""
        if arguments:
            self._arguments += arguments
            yield events.FunctionArgumentsDelta(**self._place(call_id=call_id), delta=arguments)

    def end(
        self, status: Status, items: Items, reason: str | None = None, error: ErrorDetail | None = None
    ) -> Iterator[ServerEvent]:
        """Close what was opened, then the response."""
        yield from self._close("completed" if status == "completed" else "incomplete", items)
        details = None if status == "completed" else StatusDetails(type=status, reason=reason, error=error)
        yield events.ResponseDone(response=self._response(status, details, self._usage()))

    @property
    def _bytes_per_ms(self) -> int:
        return BYTES_PER_MS[self.options.audio_format["type"]]

    @property
    def _message_ms(self) -> int:
        """How much sound the message that is open has."""
        return (self._audio_bytes - self._audio_start_bytes) // self._bytes_per_ms

    @property
    def _current(self) -> Entry:
        return self._entries[-1]

    def _begin(self, item: Item, items: Items) -> Iterator[ServerEvent]:
        entry = Entry(replace(item, id=self._new_id("item"), object="realtime.item", status="in_progress"))
        self._entries.append(entry)
        self._open = entry
        yield events.OutputItemAdded(response_id=self.id, output_index=self._index, item=entry.item)
        if self.options.in_conversation:
            yield conversation.ConversationItemAdded(item=entry.item, previous_item_id=items.add(entry))

    def _close(self, status: str, items: Items) -> Iterator[ServerEvent]:
        if self._open is None:
            return
        if self._open.item.type == "function_call":
            yield from self._close_call()
        else:
            yield from self._close_message()
        item = self._current.item = replace(self._current.item, status=status)
        if items.has(self._current):
            yield conversation.ConversationItemDone(item=item, previous_item_id=items.previous_id(self._current))
        yield events.OutputItemDone(response_id=self.id, output_index=self._index, item=item)
        self._open = None

    def _close_message(self) -> Iterator[ServerEvent]:
        place = self._place(content_index=0)
        if self.options.spoken:
            yield events.OutputAudioDone(**place)
            yield events.OutputTranscriptDone(**place, transcript=self._words)
        else:
            yield events.OutputTextDone(**place, text=self._words)
        yield events.ContentPartDone(**place, part=self._part(self._words))

    def _close_call(self) -> Iterator[ServerEvent]:
        item = self._current.item = replace(self._current.item, arguments=self._arguments)
        yield events.FunctionArgumentsDone(
            **self._place(call_id=item.call_id), name=item.name, arguments=self._arguments
        )

    @property
    def _index(self) -> int:
        return len(self._entries) - 1

    def _place(self, **more: Any) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": self._current.id, "output_index": self._index, **more}

    def _part(self, words: str) -> Content:
        return Content(type="audio", transcript=words) if self.options.spoken else Content(type="text", text=words)

    def _hold(self, part: Content) -> None:
        self._current.item = replace(self._current.item, content=(part,))

    def _response(self, status: str, details: StatusDetails | None = None, usage: Usage | None = None) -> Response:
        audio = {"output": {"format": self.options.audio_format, "voice": self.options.voice_name}}
        return Response(
            id=self.id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=tuple(entry.item for entry in self._entries),
            conversation_id=self._conversation_id,
            output_modalities=(self.options.modality,),
            max_output_tokens=self.options.max_output_tokens,
            audio=audio if self.options.spoken else None,
            metadata=self.options.metadata,
            usage=usage,
        )

    def _usage(self) -> Usage:
        """What the model counted where it counts, else what it was seen to read and write."""
        read, counted = self.input_tokens, self.counted
        if counted.read_tokens is not None:
            cached = min(counted.cached_tokens or 0, counted.read_tokens)
            read = replace(read, text_tokens=counted.read_tokens, cached_tokens=cached)
        written = self._tokens if counted.written_tokens is None else counted.written_tokens
        spoken = self.audio_ms * OUTPUT_TOKENS_PER_S // 1000
        read_all = (read.text_tokens or 0) + (read.audio_tokens or 0)
        return Usage(
            total_tokens=read_all + written + spoken,
            input_tokens=read_all,
            output_tokens=written + spoken,
            input_token_details=read,
            output_token_details=OutputTokens(text_tokens=written, audio_tokens=spoken),
        )
