"""How sessions share engines that take one call at a time: in turns, by sentence and by utterance.

Every session has threads of its own for its recognitions and its replies, so that none waits for another's whole reply;
what they share is the engine, and whoever has waited longest gets it next.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from realtime_cli.server.engines.interface import (
        LanguageModel,
        SpeechToText,
        TextToSpeech,
        Transcription,
        TurnDetection,
        VoiceActivity,
    )
    from realtime_cli.server.engines.loading import Engines


class FairLock:
    """A lock that is given to those who wait in the order in which they came; ``threading.Lock`` promises no order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next_ticket = 0
        self._served = 0

    @property
    def waiting(self) -> int:
        """How many wait for it. Any thread."""
        with self._changed:
            return max(0, self._next_ticket - self._served - 1)

    def __enter__(self) -> None:
        with self._changed:
            ticket, self._next_ticket = self._next_ticket, self._next_ticket + 1
            self._changed.wait_for(lambda: self._served == ticket)

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._served += 1
            self._changed.notify_all()


class SharedEngines:
    """The engines as every session may use them: any thread, any number at once."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._recognising = FairLock()
        self._speaking = FairLock()

    @property
    def waiting(self) -> int:
        """How many utterances and sentences wait for an engine. Any thread."""
        return self._recognising.waiting + self._speaking.waiting

    @property
    def lm(self) -> LanguageModel:
        """The language model, which shares itself. Blocks until it is loaded."""
        return self._engines.lm

    @property
    def stt(self) -> SpeechToText:
        """Speech recognition, an utterance at a time. Blocks until it is loaded."""
        engine = self._engines.stt
        return _Recogniser(engine, self._recognising) if engine.serial else engine

    @property
    def tts(self) -> TextToSpeech:
        """Speech synthesis, a sentence at a time. Blocks until it is loaded."""
        engine = self._engines.tts
        return _Voice(engine, self._speaking) if engine.serial else engine

    @property
    def turn_detection(self) -> TurnDetection | None:
        """What hears whether a turn is over, None where it is not here. Blocks until it is loaded."""
        return self._engines.turn_detection

    def voice_activity(self) -> VoiceActivity:
        """Voice activity for one stream of audio. Blocks until it is loaded."""
        return self._engines.voice_activity()

    def prefetch(self, *, speech: bool, replies: bool = True) -> None:
        """Begin to load. Does not block."""
        self._engines.prefetch(speech=speech, replies=replies)

    def close(self) -> None:
        """Free the engines. Blocks for a moment."""
        self._engines.close()


class _Recogniser:
    serial = True

    def __init__(self, engine: SpeechToText, lock: FairLock) -> None:
        self._engine = engine
        self._lock = lock

    def transcribe(
        self, speech: npt.NDArray[np.float32], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        with self._lock:
            return self._engine.transcribe(speech, language, cancelled)


class _Voice:
    serial = True

    def __init__(self, engine: TextToSpeech, lock: FairLock) -> None:
        self.voices: Sequence[str] = engine.voices
        self._engine = engine
        self._lock = lock

    def synthesize(
        self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]
    ) -> Iterator[npt.NDArray[np.int16]]:
        with self._lock:
            yield from self._engine.synthesize(text, voice, speed, cancelled)
