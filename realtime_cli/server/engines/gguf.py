"""A language model of the user's own: any GGUF file that llama.cpp can run, with its own chat template."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from realtime_cli.errors import TurnError
from realtime_cli.server.engines.calling import bounded
from realtime_cli.server.engines.chat_format import ReplyReader, newer_half, request_messages, request_tools
from realtime_cli.server.engines.interface import CallArguments, CallBegun, Ended, Function, Message, Piece, Tools
from realtime_cli.server.engines.llama import Llama, counted

CONTEXT_TOKENS = 8192
"""What a conversation of an hour needs, at some hundred MB for a model of a few billion weights."""

CALLS = 'Answer with the one function call that helps, as JSON: {"name": …, "arguments": {…}}.'
MOST_CALL_TOKENS = 1000

TOO_LONG = "context"
"""In llama.cpp's message about a prompt that does not fit."""


class GgufModel:
    """A :class:`~realtime_cli.server.engines.interface.LanguageModel`. It samples as its file says."""

    def __init__(self, weights: Path, threads: int) -> None:
        """Load ``weights`` (blocks for seconds). Raises :class:`ConfigError` when they cannot be loaded."""
        self._llama = Llama(weights, threads, CONTEXT_TOKENS, own_template=True)

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Read the conversation so far. Blocks until it is read."""
        for _ in self._ask(messages, tools, 1, cancelled):
            pass

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        """Yield the reply token by token; of a conversation that does not fit the newer half is read."""
        while True:
            begun = False
            try:
                for piece in self._ask(messages, tools, max_tokens, cancelled):
                    begun = True
                    yield piece
            except TurnError as error:
                shorter = newer_half(messages)
                if begun or shorter is None or TOO_LONG not in str(error):
                    raise
                messages = shorter
            else:
                return

    def close(self) -> None:
        """End the running replies, free the model and end its threads. May be called twice."""
        self._llama.close()

    def _call(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        """One call, which a grammar makes valid: templates that know no functions would leave the model free."""
        offered = [one for one in tools.functions if tools.named in ("", one.name)] or list(tools.functions)
        told = "\n".join(f"{one.name}: {one.description}" for one in offered)
        wanted = Message("system", f"{CALLS} The functions are:\n{told}")
        request = {
            "messages": request_messages([wanted, *messages], images=False),
            "max_tokens": MOST_CALL_TOKENS,
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": {"schema": _calls_schema(offered)}},
        }
        reader = ReplyReader()
        written = ""
        ended: Ended | None = None
        for event in self._llama.chat(request, cancelled):
            written += "".join(piece for piece in reader.read(event) if isinstance(piece, str))
            ended = counted(event, CONTEXT_TOKENS) or ended
        if ended is None:
            return
        try:
            call = msgspec.json.decode(written)
        except msgspec.DecodeError as error:
            raise TurnError("the language model began a function call and did not end it") from error
        yield CallBegun(f"call_{secrets.token_hex(10)}", call["name"])
        yield CallArguments(msgspec.json.encode(call["arguments"]).decode())
        yield ended

    def _ask(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        if tools.functions and tools.choice == "required":
            yield from self._call(messages, tools, cancelled)
            return
        reader = ReplyReader()
        request = {
            "messages": request_messages(messages, images=False) or [{"role": "user", "content": ""}],
            "max_tokens": max_tokens,
            **request_tools(tools),
        }
        ended: Ended | None = None
        for event in self._llama.chat(request, cancelled):
            yield from reader.read(event)
            ended = counted(event, CONTEXT_TOKENS) or ended
        if ended is None:
            return
        for piece in reader.end():
            yield ended if isinstance(piece, Ended) else piece


def _calls_schema(functions: Sequence[Function]) -> dict[str, Any]:
    """A call of any of these."""
    nothing = {"type": "object", "properties": {}}
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": one.name}, "arguments": bounded(one.parameters) or nothing},
            "required": ["name", "arguments"],
        }
        for one in functions
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}
