"""What a conversation is made of: items, their content, responses and what they cost.

Field names are the wire's own (https://platform.openai.com/docs/api-reference/realtime). Every field has a default
because compatible servers leave out what they do not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.protocol.codec import Wire


class Content(Wire, frozen=True, kw_only=True):
    """One part of a message. ``audio`` is base64, ``image_url`` a data URI."""

    type: str = ""
    text: str | None = None
    transcript: str | None = None
    audio: str | None = None
    image_url: str | None = None
    detail: str | None = None

    @property
    def words(self) -> str:
        """What the part says, written or spoken."""
        return self.text or self.transcript or ""


class Item(Wire, frozen=True, kw_only=True):
    """One item of the conversation: a message, a function call, or its output; other kinds keep their type."""

    id: str | None = None
    object: str | None = None
    type: str = ""
    status: str | None = None
    role: str | None = None
    content: tuple[Content, ...] | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None
    output: str | None = None
    server_label: str | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: str | None = None
    error: Any | None = None

    @property
    def words(self) -> str:
        """All that the item's parts say."""
        return "".join(part.words for part in self.content or ())


class ErrorDetail(Wire, frozen=True, kw_only=True):
    """What a server says went wrong; ``event_id`` is the offending client event's."""

    type: str | None = None
    code: str | None = None
    message: str = ""
    param: str | None = None
    event_id: str | None = None


class CachedTokens(Wire, frozen=True, kw_only=True):
    """Of the cached tokens, how many of each kind."""

    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class InputTokens(Wire, frozen=True, kw_only=True):
    """What the model read. ``cached_tokens`` is a subset of the others, not an addition to them."""

    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cached_tokens: int | None = None
    cached_tokens_details: CachedTokens | None = None


class OutputTokens(Wire, frozen=True, kw_only=True):
    """What the model wrote and spoke."""

    text_tokens: int | None = None
    audio_tokens: int | None = None


class Usage(Wire, frozen=True, kw_only=True):
    """Tokens of one response, or of one transcription (then ``type`` is set, and ``seconds`` for some models)."""

    type: str | None = None
    seconds: float | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: InputTokens | None = None
    output_token_details: OutputTokens | None = None


class StatusDetails(Wire, frozen=True, kw_only=True):
    """Why a response ended as it did: ``reason`` of a cancelled or incomplete one, ``error`` of a failed one."""

    type: str | None = None
    reason: str | None = None
    error: ErrorDetail | None = None


class Response(Wire, frozen=True, kw_only=True):
    """One response. ``status``: in_progress, completed, cancelled, failed or incomplete."""

    id: str = ""
    object: str | None = None
    status: str = ""
    status_details: StatusDetails | None = None
    output: tuple[Item, ...] | None = None
    conversation_id: str | None = None
    output_modalities: tuple[str, ...] | None = None
    max_output_tokens: int | str | None = None
    audio: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    usage: Usage | None = None


class RateLimit(Wire, frozen=True, kw_only=True):
    """What is left of a rate limit, and in how many seconds it is whole again."""

    name: str = ""
    limit: int | None = None
    remaining: int | None = None
    reset_seconds: float | None = None
