"""Server events about a response: its items, their parts, and what the parts are made of."""

from __future__ import annotations

from typing import ClassVar

from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.items import Content, Item, Response


class ResponseCreated(ServerEvent, frozen=True, kw_only=True):
    """A response began."""

    type: ClassVar[str] = "response.created"
    response: Response = Response()


class ResponseDone(ServerEvent, frozen=True, kw_only=True):
    """A response ended, whatever its status."""

    type: ClassVar[str] = "response.done"
    response: Response = Response()


class OutputItemAdded(ServerEvent, frozen=True, kw_only=True):
    """A response began an item."""

    type: ClassVar[str] = "response.output_item.added"
    response_id: str = ""
    output_index: int = 0
    item: Item = Item()


class OutputItemDone(ServerEvent, frozen=True, kw_only=True):
    """A response finished an item."""

    type: ClassVar[str] = "response.output_item.done"
    response_id: str = ""
    output_index: int = 0
    item: Item = Item()


class ContentPartAdded(ServerEvent, frozen=True, kw_only=True):
    """A response began a part of an item."""

    type: ClassVar[str] = "response.content_part.added"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    part: Content = Content()


class ContentPartDone(ServerEvent, frozen=True, kw_only=True):
    """A response finished a part of an item."""

    type: ClassVar[str] = "response.content_part.done"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    part: Content = Content()


class OutputTextDelta(ServerEvent, frozen=True, kw_only=True):
    """A piece of a written reply."""

    type: ClassVar[str] = "response.output_text.delta"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    delta: str = ""


class OutputTextDone(ServerEvent, frozen=True, kw_only=True):
    """All of a written reply."""

    type: ClassVar[str] = "response.output_text.done"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    text: str = ""


class OutputAudioDelta(ServerEvent, frozen=True, kw_only=True):
    """A piece of the model's voice: ``delta`` is base64 PCM16."""

    type: ClassVar[str] = "response.output_audio.delta"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    delta: str = ""


class OutputAudioDone(ServerEvent, frozen=True, kw_only=True):
    """No more audio for this part."""

    type: ClassVar[str] = "response.output_audio.done"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0


class OutputTranscriptDelta(ServerEvent, frozen=True, kw_only=True):
    """A piece of what the model says."""

    type: ClassVar[str] = "response.output_audio_transcript.delta"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    delta: str = ""


class OutputTranscriptDone(ServerEvent, frozen=True, kw_only=True):
    """All of what the model says."""

    type: ClassVar[str] = "response.output_audio_transcript.done"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0
    transcript: str = ""


class FunctionArgumentsDelta(ServerEvent, frozen=True, kw_only=True):
    """A piece of a function call's arguments."""

    type: ClassVar[str] = "response.function_call_arguments.delta"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    call_id: str = ""
    delta: str = ""


class FunctionArgumentsDone(ServerEvent, frozen=True, kw_only=True):
    """All of a function call's arguments, a JSON string. Beta servers leave ``name`` out."""

    type: ClassVar[str] = "response.function_call_arguments.done"
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    call_id: str = ""
    name: str | None = None
    arguments: str = ""


class McpListToolsFailed(ServerEvent, frozen=True, kw_only=True):
    """The server could not list an MCP server's tools."""

    type: ClassVar[str] = "mcp_list_tools.failed"
    item_id: str = ""


class McpCallCompleted(ServerEvent, frozen=True, kw_only=True):
    """The server ran an MCP tool."""

    type: ClassVar[str] = "response.mcp_call.completed"
    item_id: str = ""
    output_index: int = 0


class McpCallFailed(ServerEvent, frozen=True, kw_only=True):
    """The server could not run an MCP tool."""

    type: ClassVar[str] = "response.mcp_call.failed"
    item_id: str = ""
    output_index: int = 0
