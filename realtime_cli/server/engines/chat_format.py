"""The shapes of OpenAI's chat completions: what a request says, and what the events of a streamed answer mean. Pure.

llama.cpp, Ollama, LM Studio, vLLM and the remote services all speak it
(https://platform.openai.com/docs/api-reference/chat). Servers differ in small ways, so what is read is read leniently.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from realtime_cli.server.engines.interface import CallArguments, CallBegun, Ended, Message, Piece, Tools

NO_PICTURE = "(a picture, which you cannot see)"
"""What a model that takes no images reads in place of one."""


def request_messages(messages: Sequence[Message], *, images: bool) -> list[dict[str, Any]]:
    """The conversation as the request's ``messages``; calls that follow each other belong to one of the model's turns.

    Without ``images`` a picture is replaced by words that say that there was one.
    """
    made: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            made.append({"role": "tool", "tool_call_id": message.call_id, "content": message.text})
        elif message.calls:
            calls = [
                {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.calls
            ]
            if made and made[-1]["role"] == "assistant":
                made[-1]["tool_calls"] = [*made[-1].get("tool_calls", []), *calls]
            else:
                made.append({"role": "assistant", "content": message.text or None, "tool_calls": calls})
        else:
            made.append({"role": message.role, "content": _content(message, images)})
    return made


def request_tools(tools: Tools) -> dict[str, Any]:
    """The request's fields about functions; none without functions, as some servers refuse an empty list."""
    if not tools.functions or tools.choice == "none":
        return {}
    functions = [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": one.parameters},
        }
        for one in tools.functions
    ]
    choice: Any = tools.choice
    if tools.named:
        choice = {"type": "function", "function": {"name": tools.named}}
    return {
        "tools": functions,
        # What a server does anyway is not said: some know only these defaults.
        **({} if choice == "auto" else {"tool_choice": choice}),
        **({} if tools.parallel else {"parallel_tool_calls": False}),
    }


def newer_half(messages: Sequence[Message]) -> tuple[Message, ...] | None:
    """The instructions and the newer half of the rest, which begins with a user's message; None if that is all."""
    first = next((n for n, message in enumerate(messages) if message.role != "system"), len(messages))
    for start in range(first + (len(messages) - first + 1) // 2, len(messages)):
        if messages[start].role == "user":
            return (*messages[:first], *messages[start:])
    return None


class ReplyReader:
    """Turns the events of one streamed answer into pieces. Calls come out one after the other, each whole."""

    def __init__(self) -> None:
        self._thoughts = ThoughtFilter()
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}
        self._reason: str | None = None
        self._usage: Mapping[str, Any] = {}

    @property
    def finished(self) -> bool:
        """The server gave a reason for the end: what follows is at most what it counted."""
        return self._reason is not None

    def read(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        """The pieces that an event brings. Raises TypeError, ValueError or AttributeError for nonsense."""
        self._usage = event.get("usage") or self._usage
        for choice in (event.get("choices") or [])[:1]:
            # A server that does not stream answers with the whole message.
            delta = choice.get("delta") or choice.get("message") or {}
            text = self._thoughts.feed(str(delta.get("content") or ""))
            if text:
                yield text
            for part in delta.get("tool_calls") or ():
                yield from self._call(part)
            self._reason = choice.get("finish_reason") or self._reason

    def end(self) -> Iterator[Piece]:
        """What was kept back, and how it ended."""
        rest = self._thoughts.flush()
        if rest:
            yield rest
        for call in self._calls[1:]:
            yield CallBegun(call.call_id, call.name)
            yield from call.rest()
        details = self._usage.get("prompt_tokens_details") or {}
        yield Ended(
            cut_off=self._reason == "length",
            read_tokens=self._usage.get("prompt_tokens"),
            cached_tokens=details.get("cached_tokens"),
            written_tokens=self._usage.get("completion_tokens"),
        )

    def _call(self, part: Mapping[str, Any]) -> Iterator[Piece]:
        """Part of a call. The first call is passed on as it grows; a server may mix the parts of several, so the others
        wait for the end."""
        index = int(part.get("index") or 0)
        function = part.get("function") or {}
        call_id = str(part.get("id") or "")
        call = self._at.get(index)
        # Ollama has given every call of a reply the index 0.
        if call is None or (call_id and function.get("name") and call_id != call.call_id):
            call = _Call(call_id or f"call_{secrets.token_hex(10)}", str(function.get("name") or ""))
            self._at[index] = call
            self._calls.append(call)
            if call is self._calls[0]:
                yield CallBegun(call.call_id, call.name)
        arguments = function.get("arguments") or ""
        call.waiting += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if call is self._calls[0]:
            yield from call.rest()


class ThoughtFilter:
    """Leaves out what a model thinks before it answers, where its server does not keep that apart by itself."""

    OPENS, CLOSES = "<think>", "</think>"

    def __init__(self) -> None:
        self._held: str | None = ""
        self._inside = False

    def feed(self, text: str) -> str:
        """What of ``text`` is to be said."""
        if self._held is None:
            return text
        self._held += text
        bare = self._held.lstrip()
        if not self._inside:
            if self.OPENS.startswith(bare[: len(self.OPENS)]) and len(bare) < len(self.OPENS):
                return ""
            if not bare.startswith(self.OPENS):
                return self.flush()
            self._inside = True
        _, closed, answer = bare.partition(self.CLOSES)
        if not closed:
            return ""
        self._held = None
        return answer.lstrip()

    def flush(self) -> str:
        """What is left: nothing of a thought that never ended."""
        rest, self._held = (self._held or ""), None
        return "" if self._inside else rest


class _Call:
    """A call in progress: ``waiting`` is what of its arguments has not been told."""

    def __init__(self, call_id: str, name: str) -> None:
        self.call_id = call_id
        self.name = name
        self.waiting = ""

    def rest(self) -> Iterator[Piece]:
        if self.waiting:
            yield CallArguments(self.waiting)
        self.waiting = ""


def _content(message: Message, images: bool) -> Any:
    if not message.images:
        return message.text
    if not images:
        return " ".join([*([message.text] if message.text else []), *[NO_PICTURE for _ in message.images]])
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
    return [*([{"type": "text", "text": message.text}] if message.text else []), *pictures]
