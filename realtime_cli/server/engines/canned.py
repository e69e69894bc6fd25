"""A stand-in for the language model while its weights are not there: set answers, which say so plainly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from realtime_cli.server.engines.interface import Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from realtime_cli.server.engines.interface import Message, Piece, Tools

NOT_THERE = "The language model is not on this computer yet, so I only have a few set answers."

ANSWERS = (
    (r"\b(hear|listening|there|testing)\b", "Yes, I hear you well."),
    (r"\b(hello|hi|hey|good (morning|afternoon|evening|day))\b", "Hello!"),
    (r"\b(bye|goodbye|good night)\b", "Goodbye!"),
    (r"\b(thanks|thank you)\b", "You are welcome."),
    (r"\bhow are you\b", "I am fine, thank you."),
    (r"\b(your name|who are you|what are you)\b", "I am the voice of this program."),
)
"""What is looked for in the user's words, case apart, and the answer; the first that fits."""


class CannedAnswers:
    """A :class:`LanguageModel` that knows a few answers by heart. Deterministic; for any thread."""

    def reply(
        self,
        messages: Sequence[Message],
        tools: Tools,  # noqa: ARG002 -- set answers call nothing
        max_tokens: int,
        cancelled: Callable[[], bool],
    ) -> Iterator[Piece]:
        """Yield the answer word by word, at most ``max_tokens`` words. Never blocks."""
        words = re.findall(r"\s*\S+", answer(messages))
        for word in words[:max_tokens]:
            if cancelled():
                return
            yield word
        yield Ended(cut_off=len(words) > max_tokens)

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Nothing to read."""

    def close(self) -> None:
        """Nothing to free."""


def answer(messages: Sequence[Message]) -> str:
    """The set answer to the last thing the user said; the first one adds why it is so short."""
    asked = [message.text for message in messages if message.role == "user"]
    if not asked:
        return f"Hello! {NOT_THERE}"
    said = next((reply for pattern, reply in ANSWERS if re.search(pattern, asked[-1].casefold())), None)
    if said is None:
        return f"You said: {asked[-1].strip()} {NOT_THERE}"
    return said if len(asked) > 1 else f"{said} {NOT_THERE}"
