"""Engines of known behaviour for the local server's tests: they stand for the outside world's."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from realtime_cli.server.engines.interface import CallArguments, CallBegun, Ended, Message, Piece, Tools, Transcription
from tests.waiting import PATIENCE_S

Audio = np.ndarray[Any, np.dtype[np.int16]]


class LoudnessVad:
    """A frame is speech when it is loud."""

    def probability(self, frame: np.ndarray[Any, Any]) -> float:
        return float(np.abs(frame).mean() > 0.1)

    def reset(self) -> None:
        """It remembers nothing."""


class SecondsHeard:
    """Recognises how many seconds long the speech is, and that silence is silence."""

    serial = True

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.calls = 0

    def transcribe(
        self, speech: np.ndarray[Any, Any], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        self.calls += 1
        assert self.gate.wait(PATIENCE_S)
        if not float(np.abs(speech).mean()) > 0.05:
            return Transcription("", 1.0)
        return Transcription(f" {round(len(speech) / 16000)} seconds. ", 0.0)


class Reciter:
    """Recites its words; waits before each for a permit, if there is a gate."""

    def __init__(self, words: Sequence[str] = ("Once ", "upon ", "a ", "time. ", "The ", "end.")) -> None:
        self.words = words
        self.gate: threading.Semaphore | None = None
        self.cancelled = threading.Event()
        self.asked = threading.Event()
        self.calls = 0
        self.read: tuple[Message, ...] = ()
        self.given = 0

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        # As they are now: a reply that nobody wants any more takes no permit of the next one's.
        words, gate = self.words, self.gate
        self.read = tuple(messages)
        self.given = 0
        self.calls += 1
        self.asked.set()
        try:
            for word in words[:max_tokens]:
                if gate is not None:
                    assert gate.acquire(timeout=PATIENCE_S)
                if cancelled():
                    self.cancelled.set()
                    return
                self.given += 1
                yield word
            yield Ended(cut_off=len(words) > max_tokens)
        except GeneratorExit:  # it is not even asked for the next word
            self.cancelled.set()
            raise

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        for _ in self.reply(messages, tools, 1, cancelled):
            """That it was read is all."""

    def close(self) -> None:
        """Nothing to free."""


class Caller:
    """Calls functions as long as none has answered, and then tells what the last one said."""

    def __init__(self, *calls: tuple[str, str]) -> None:
        self.calls = calls or (("clock", '{"zone": "UTC"}'),)
        self.tools: Tools | None = None
        self._numbers = itertools.count(1)

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        self.tools = tools
        outputs = [message.text for message in messages if message.role == "tool"]
        if outputs or not tools.functions:
            yield f"It is {outputs[-1] if outputs else 'late'}."
        else:
            for name, arguments in self.calls:
                yield CallBegun(f"call_{next(self._numbers)}", name)
                for at in range(0, len(arguments), 8):
                    yield CallArguments(arguments[at : at + 8])
        yield Ended()

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Nothing is gained."""

    def close(self) -> None:
        """Nothing to free."""


class Beeper:
    """A tenth of a second for each letter."""

    serial = True
    voices = ("beep",)

    def synthesize(self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        yield np.full(2400 * len(text), 1000, np.int16)


class Broken:
    """Every engine in one, and all of them fail."""

    serial = True
    voices = ("none",)

    def probability(self, frame: np.ndarray[Any, Any]) -> float:
        raise RuntimeError("the ear is broken")

    def reset(self) -> None:
        """Works."""

    def transcribe(
        self, speech: np.ndarray[Any, Any], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        raise RuntimeError("the recogniser is broken")

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        yield "Well. "
        raise RuntimeError("the model is broken")

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        raise RuntimeError("the model is broken")

    def synthesize(self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]) -> Iterator[Audio]:
        raise RuntimeError("the voice is broken")

    def close(self) -> None:
        """Works."""
