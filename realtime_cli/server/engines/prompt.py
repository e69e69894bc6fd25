"""What the small language model reads: a fixed priming, the user's instructions, and as much history as fits.

Pure: no model, no I/O. The priming never changes, so the model keeps its computed state and reads only what is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_cli.server.engines.interface import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

ChatMessage = dict[str, str]

SYSTEM = "You are a friendly assistant in a voice call. Give a short, direct answer of one or two plain sentences."
EXAMPLES = (
    ("Hi there.", "Hello! How can I help you today?"),
    ("What is two plus two?", "Two plus two is four."),
    ("How do I make tea?", "Boil some water, pour it over a tea bag, and wait about three minutes."),
)
"""Three turns that set the tone. With them 18 of 25 easy questions are answered rightly and shortly; more examples did
not help, and without them the model rambles."""

OPENING = "Hi there."
CONTINUE = "Go on."
"""What the user is taken to have said when a reply is asked for and it is not the user's turn that came last."""

SYSTEM_BYTES = 1500
HISTORY_BYTES = 1500
MESSAGE_BYTES = 25
"""Limits of the instructions and of the history in UTF-8 bytes, and what the markup of each message counts for (about
six tokens). A token is at least one byte, so together with the priming (113 tokens) and the longest reply they always
fit the context of 4096 tokens. In English a token is four bytes: reading the largest history takes about 3 s, which
happens only when the instructions change or conversations take turns."""

DROP_STEP = 4
"""History is dropped this many messages at a time: in between it only grows, and only what is new is read."""


def primed(messages: Sequence[Message]) -> list[ChatMessage]:
    """The chat that the model completes: priming, instructions, recent history; it always ends with a user message.

    The user's instructions follow the examples instead of leading them: the model then obeys them ("talk like a
    pirate", "answer in Spanish"), which it does not when examples in another tone come later; and the cached priming
    stays valid.
    """
    chat = [_chat("system", SYSTEM)]
    for question, answer in EXAMPLES:
        chat += [_chat("user", question), _chat("assistant", answer)]
    messages = [said for message in messages for said in _in_words(message)]
    instructions = "\n".join(message.text for message in messages if message.role == "system" and message.text.strip())
    if instructions:
        chat.append(_chat("system", _clip(instructions, SYSTEM_BYTES)))
    turns = [message for message in messages if message.role != "system" and message.text.strip()]
    chat += [_chat(message.role, _clip(message.text, HISTORY_BYTES)) for message in _recent(turns)]
    if not turns:
        chat.append(_chat("user", OPENING))
    elif turns[-1].role == "assistant":
        chat.append(_chat("user", CONTINUE))
    return chat


def _in_words(message: Message) -> list[Message]:
    """Calls, their outputs and pictures told in words: the model was trained on nothing else."""
    if message.role == "tool":
        return [Message("system", f"The function returned: {message.text}")]
    called = [f"The function {call.name} was called with {call.arguments}." for call in message.calls]
    unseen = "(a picture, which you cannot see)" if message.images else ""
    text = " ".join(part for part in (message.text, unseen) if part)
    return [Message(message.role, text), *(Message("system", said) for said in called)]


def _recent(turns: Sequence[Message]) -> Sequence[Message]:
    """The newest messages within the limit, and always the last one."""
    start = 0
    while start + 1 < len(turns) and sum(map(_size, turns[start:])) > HISTORY_BYTES:
        start = min(start + DROP_STEP, len(turns) - 1)
    return turns[start:]


def _size(message: Message) -> int:
    return len(message.text.encode()) + MESSAGE_BYTES


def _clip(text: str, limit: int) -> str:
    """The first ``limit`` bytes of ``text``, not cut inside a character."""
    return text.encode()[:limit].decode(errors="ignore")


def _chat(role: str, text: str) -> ChatMessage:
    return {"role": role, "content": text}
