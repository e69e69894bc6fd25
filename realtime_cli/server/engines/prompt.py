"""What the embedded language model reads: a fixed priming, the user's instructions, and what helps with the question.

Pure: no model, no I/O. The priming and the instructions stay the same from turn to turn, so the model keeps its
computed state and reads only what is new.
"""

from __future__ import annotations

from collections.abc import Sequence

from realtime_cli.server.engines.chat_format import NO_PICTURE
from realtime_cli.server.engines.interface import Message
from realtime_cli.server.engines.remembering import recalled, refers_back

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
QUESTION_BYTES = 1200
EARLIER_BYTES = 150
"""Limits of the instructions, of the question with what belongs to it, and of each message of the turn before, in UTF-8
bytes. A token is at least one byte, so together with the priming (113 tokens) and the longest reply they always fit the
context of 4096 tokens. In English a token is four bytes."""


def primed(messages: Sequence[Message]) -> list[ChatMessage]:
    """The chat that the model completes; it always ends with a user message.

    The user's instructions follow the examples instead of leading them: the model then obeys them ("talk like a
    pirate", "answer in Spanish"), which it does not when examples in another tone come later; and the cached priming
    stays valid.
    """
    chat = [_chat("system", SYSTEM)]
    for question, answer in EXAMPLES:
        chat += [_chat("user", question), _chat("assistant", answer)]
    instructions = "\n".join(message.text for message in messages if message.role == "system" and message.text.strip())
    if instructions:
        chat.append(_chat("system", _clip(instructions, SYSTEM_BYTES)))
    turns = [one for message in messages if message.role != "system" for one in _in_words(message)]
    if not turns:
        return [*chat, _chat("user", OPENING)]
    asked = _question_start(turns)
    earlier, now = turns[:asked], turns[asked:]
    question = "\n".join(message.text for message in now if message.role == "user") or CONTINUE
    before = next((message.text for message in reversed(earlier) if message.role == "assistant"), "")
    if not now or refers_back(question, before):
        chat += [_chat(message.role, _clip(message.text, EARLIER_BYTES)) for message in _turn_before(earlier)]
    facts = recalled([message.text for message in earlier if message.role == "user"], question)
    found = [f"The answer to this is: {message.text}" for message in now if message.role == "tool"]
    return [*chat, _chat("user", _clip("\n".join([question, *facts, *found]), QUESTION_BYTES))]


def question(messages: Sequence[Message]) -> str:
    """What the user asked last, all messages since the model's last words together."""
    turns = [one for message in messages if message.role != "system" for one in _in_words(message)]
    return "\n".join(message.text for message in turns[_question_start(turns) :] if message.role == "user")


def _in_words(message: Message) -> list[Message]:
    """The message as the model reads it, unless it says nothing."""
    words = " ".join([message.text.strip(), *(NO_PICTURE for _ in message.images)]).strip()
    return [Message(message.role, words)] if words else []


def _question_start(turns: Sequence[Message]) -> int:
    """Where the question begins: after the last words of the model."""
    spoken = (number for number in range(len(turns) - 1, -1, -1) if turns[number].role == "assistant")
    return next(spoken, -1) + 1


def _turn_before(earlier: Sequence[Message]) -> list[Message]:
    """The last words of the user's and the model's among those before the question."""
    said = [message for message in earlier if message.role in ("user", "assistant")]
    last = said[-2:]
    return [*last] if last and last[0].role == "user" else [*last[-1:]]


def _clip(text: str, limit: int) -> str:
    """The first ``limit`` bytes of ``text``, not cut inside a character."""
    return text.encode()[:limit].decode(errors="ignore")


def _chat(role: str, text: str) -> ChatMessage:
    return {"role": role, "content": text}
