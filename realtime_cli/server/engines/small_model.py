"""The embedded language model: SmolLM2-135M-Instruct (Apache-2.0).

It is there so that everything works at once, not to be clever. What it reads is chosen for a model of its size
(``prompt.py``), functions are called by its words and a grammar (``calling.py``), and what it writes is watched.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from realtime_cli.errors import TurnError
from realtime_cli.server.engines.calling import arguments_chat, bounded, chosen, narrowed
from realtime_cli.server.engines.interface import (
    NO_TOOLS,
    CallArguments,
    CallBegun,
    Ended,
    Function,
    Message,
    Piece,
    Tools,
)
from realtime_cli.server.engines.llama import Llama, counted
from realtime_cli.server.engines.prompt import ChatMessage, primed, question
from realtime_cli.server.engines.repetition import RepetitionGuard

CONTEXT_TOKENS = 4096

MOST_TOKENS = 200
"""A reply never gets longer, whatever is asked for: the model rambles, and this is a minute of speech."""

ENOUGH_TOKENS = 80
"""From here on a reply ends with its sentence."""

MOST_ARGUMENT_TOKENS = 600

SAMPLING = {
    "temperature": 0,
    # "I'm a chatbot. I'm a chatbot. …": at temperature 0 a small model repeats itself, this sampler ("don't repeat
    # yourself") forbids runs of more than three tokens without touching single words, as a repeat penalty would.
    "dry_multiplier": 0.8,
    "dry_allowed_length": 3,
    "dry_penalty_last_n": 80,
}


class SmolLM:
    """A :class:`~realtime_cli.server.engines.interface.LanguageModel`; the same question gets the same answer."""

    def __init__(self, weights: Path, threads: int) -> None:
        """Load ``weights`` (about 0.5 s, blocks). Raises :class:`ConfigError` when they cannot be loaded."""
        self._llama = Llama(weights, threads, CONTEXT_TOKENS, own_template=False)

    def warm_up(self) -> None:
        """Read the priming once, so that the first reply does not wait for it. Blocks about 0.6 s."""
        self.prepare([], NO_TOOLS, lambda: False)

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:  # noqa: ARG002
        """Read the priming and the instructions, and write one token that nobody sees. Blocks until they are read."""
        instructions = [message for message in messages if message.role == "system"]
        for _ in self._llama.chat({"messages": primed(instructions), "max_tokens": 1, **SAMPLING}, cancelled):
            pass

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        """Yield the reply token by token, then how it ended; blocks between tokens, first for about 0.1 s.

        Ends within some 0.1 s of ``cancelled()`` becoming true (which is asked on another thread), and of being closed.
        Raises :class:`TurnError` when the model fails, and for a turn with an image.
        """
        latest = next((message for message in reversed(messages) if message.role == "user"), None)
        if latest is not None and latest.images:
            # Told that there is a picture it makes one up.
            raise TurnError("the embedded language model takes no images", "--lm takes a model that does")
        asked = question(messages)
        function = chosen(messages, asked, tools)
        if function is not None:
            yield from self._call(function, asked, cancelled)
        else:
            yield from self._write(primed(messages), max_tokens, cancelled)

    def close(self) -> None:
        """End the running replies, free the model and end its threads. May be called twice."""
        self._llama.close()

    def _write(self, chat: list[ChatMessage], max_tokens: int, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        guard = RepetitionGuard()
        ended: Ended | None = None
        tokens = 0
        request = {"messages": chat, "max_tokens": min(max_tokens, MOST_TOKENS), **SAMPLING}
        for event in self._llama.chat(request, cancelled):
            text = _text(event)
            tokens += bool(text)
            given = guard.feed(text)
            if given:
                yield given
            ended = counted(event, MOST_TOKENS) or ended
            if guard.looping or (tokens >= ENOUGH_TOKENS and text.rstrip().endswith((".", "!", "?"))):
                ended = Ended(written_tokens=tokens)
                break
        if ended is not None:
            rest = guard.flush()
            if rest:
                yield rest
            yield ended

    def _call(self, function: Function, asked: str, cancelled: Callable[[], bool]) -> Iterator[Piece]:
        """Call a function with arguments that its schema allows, whatever the model thinks of them."""
        yield CallBegun(f"call_{secrets.token_hex(10)}", function.name)
        schema = narrowed(bounded(function.parameters), asked)
        if not schema.get("properties"):
            yield CallArguments("{}")
            yield Ended()
            return
        request = {
            "messages": arguments_chat(asked, schema),
            "max_tokens": MOST_ARGUMENT_TOKENS,
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        }
        for event in self._llama.chat(request, cancelled):
            text = _text(event)
            if text:
                yield CallArguments(text)
            ended = counted(event, MOST_ARGUMENT_TOKENS)
            if ended is not None:
                yield ended


def _text(event: Any) -> str:
    """What one event of the stream adds to the reply."""
    choices = event.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""
