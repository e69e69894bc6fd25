"""A language model behind a chat completions endpoint: Ollama, llama.cpp, LM Studio, vLLM, or a remote service.

It gets the whole conversation. What a server refuses because it is not made for it (pictures, the name of a limit, more
history than it can read) is asked for again without.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from realtime_cli.errors import TurnError
from realtime_cli.server.engines.chat_format import ReplyReader, newer_half, request_messages, request_tools
from realtime_cli.server.engines.http_calls import Refused, Service, never
from realtime_cli.server.engines.interface import Message, Piece, Tools

ENDING = "/chat/completions"
MODELS = "/models"

MOST_LINE_BYTES = 1_000_000
"""One event of a stream; more is no stream of events."""

NO_LIMIT_TOKENS = 4096
"""The protocol's largest limit of a reply, which stands for "as long as it likes", too: the server is told of none."""

MOST_ATTEMPTS = 5
"""How often a refused request is changed and asked again."""


class ChatCompletions:
    """A :class:`~realtime_cli.server.engines.interface.LanguageModel`. Any number of threads may ask at once."""

    def __init__(self, service: Service, model: str = "") -> None:
        """``model`` is what the server calls it; empty where it has one only."""
        self._service = service
        self._model = model
        self._closed = threading.Event()

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        """Yield the reply as the server streams it. Raises TurnError; see the interface."""

        def stopped() -> bool:
            return self._closed.is_set() or cancelled()

        wanted = _Wanted(tuple(messages), tools, max_tokens)
        for _ in range(MOST_ATTEMPTS):
            try:
                yield from self._ask(wanted, stopped)
            except Refused as refusal:
                changed = wanted.without(refusal)
                if changed is None:
                    raise
                wanted = changed
            else:
                return

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Nothing: reading ahead may cost money there, and servers keep what they have read by themselves."""

    def close(self) -> None:
        """End running replies within 50 ms."""
        self._closed.set()

    def _ask(self, wanted: _Wanted, stopped: Callable[[], bool]) -> Iterator[Piece]:
        reader = ReplyReader()
        body = msgspec.json.encode({"model": self._name(stopped), **wanted.body()})
        for event in _events(self._service, self._service.call("POST", ENDING, body, cancelled=stopped)):
            try:
                yield from reader.read(event)
            except (TypeError, ValueError, AttributeError) as error:
                raise _nonsense(self._service) from error
        if stopped():
            return
        if not reader.finished:
            raise TurnError(f"{self._service.place} broke off in the middle of its answer")
        yield from reader.end()

    def _name(self, stopped: Callable[[], bool]) -> str:
        """What the server calls its model; asked once, and again after a failure."""
        if not self._model:
            served = served_models(self._service, stopped)
            if len(served) != 1 and not stopped():
                named = ", ".join(served[:8]) or "none"
                raise TurnError(f"{self._service.place} has not one model but: {named}", "choose one with --lm-model")
            self._model = next(iter(served), "")
        return self._model


def served_models(service: Service, cancelled: Callable[[], bool] = never) -> list[str]:
    """What the server calls its models. Blocks; raises TurnError."""
    body = b"".join(service.call("GET", MODELS, cancelled=cancelled))
    if cancelled():
        return []
    try:
        return [str(model["id"]) for model in msgspec.json.decode(body)["data"]]
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise TurnError(f"{service.place} does not say which models it has", "name one with --lm-model") from error


class _Wanted(msgspec.Struct, frozen=True):
    """A request, and which of its parts the server has turned out not to take."""

    messages: tuple[Message, ...]
    tools: Tools
    max_tokens: int
    images: bool = True
    limit: str = "max_tokens"
    counts: bool = True

    def body(self) -> dict[str, Any]:
        limited = self.max_tokens < NO_LIMIT_TOKENS
        return {
            "messages": request_messages(self.messages, images=self.images),
            "stream": True,
            **({"stream_options": {"include_usage": True}} if self.counts else {}),
            **({self.limit: self.max_tokens} if limited else {}),
            **request_tools(self.tools),
        }

    def without(self, refusal: Refused) -> _Wanted | None:
        """The same without what was refused, or None where that cannot be helped."""
        if refusal.status not in (400, 413, 422, 500, 501):
            return None
        reason = refusal.reason.casefold()
        if "max_completion_tokens" in reason and self.limit == "max_tokens":
            # OpenAI's reasoning models know the limit by this name only.
            return msgspec.structs.replace(self, limit="max_completion_tokens")
        if "stream_options" in reason and self.counts:
            return msgspec.structs.replace(self, counts=False)
        if self.images and any(message.images for message in self.messages):
            return msgspec.structs.replace(self, images=False)
        if "context" in reason and (shorter := newer_half(self.messages)) is not None:
            return msgspec.structs.replace(self, messages=shorter)
        return None


def _events(service: Service, pieces: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html), or the one object of a
    server that does not stream."""
    waiting = b""
    for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            event = _event(service, line)
            if event is not None:
                yield event
        if len(waiting) > MOST_LINE_BYTES:
            raise _nonsense(service)
    event = _event(service, waiting)
    if event is not None:
        yield event


def _event(service: Service, line: bytes) -> dict[str, Any] | None:
    line = line.strip()
    data = line.removeprefix(b"data:").strip()
    if not data or data == b"[DONE]" or line.startswith((b":", b"event:", b"id:", b"retry:")):
        return None
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _nonsense(service) from error
    if not isinstance(event, dict):
        raise _nonsense(service)
    if event.get("error"):
        raise service.refused(200, data)
    return event


def _nonsense(service: Service) -> TurnError:
    return TurnError(f"{service.place} answers with something that is no chat completion", "check its address")
