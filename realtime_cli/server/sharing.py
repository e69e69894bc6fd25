"""How sessions share engines that take one call at a time: in turns, by sentence and by utterance.

Every session has threads of its own for its recognitions and its replies, so that none waits for another's whole reply;
what they share is the engine. Next is what somebody waits for in silence, before what is made ahead of its time; among
equals whoever has waited longest.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from realtime_cli.server.core.effects import Voice
    from realtime_cli.server.engines.interface import (
        LanguageModel,
        Transcription,
        TurnDetection,
        VoiceActivity,
    )
    from realtime_cli.server.engines.loading import Engines


class FairLock:
    """A lock that is given to those who wait in the order in which they came, those in a hurry first;
    ``threading.Lock`` promises no order."""

    def __init__(self) -> None:
        # Whoever comes, goes or waits does so on a thread of its own.
        self._changed = threading.Condition()
        self._holder: _Place | None = None
        self._queue: list[_Place] = []

    @property
    def waiting(self) -> int:
        """How many wait for it. Any thread."""
        with self._changed:
            return len(self._queue)

    @contextmanager
    def held(self, urgent: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Hold it. Blocks. ``urgent`` is asked on any thread whenever it is given on, and must not block."""
        place = _Place(urgent)
        with self._changed:
            if self._holder is None:
                self._holder = place
            else:
                self._queue.append(place)
                self._changed.wait_for(lambda: self._holder is place)
        try:
            yield
        finally:
            with self._changed:
                self._holder = self._next()
                self._changed.notify_all()

    def _next(self) -> _Place | None:
        """Whose turn it is, taken out of the queue. Chosen once, by who gives it on: who is in a hurry changes from one
        moment to the next, and of those who wait each would take another to be next."""
        if not self._queue:
            return None
        chosen = next((place for place in self._queue if place.urgent()), self._queue[0])
        self._queue.remove(chosen)
        return chosen


class _Place:
    """Somebody in the queue."""

    def __init__(self, urgent: Callable[[], bool]) -> None:
        self.urgent = urgent


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

    def transcribe(
        self,
        speech: npt.NDArray[np.float32],
        language: str | None,
        cancelled: Callable[[], bool],
        urgent: Callable[[], bool],
    ) -> Transcription:
        """Recognise, as the interface says; sooner if ``urgent()``. Blocks, also until it is loaded."""
        engine = self._engines.stt
        with self._recognising.held(lambda: cancelled() or urgent()) if engine.serial else nullcontext():
            return engine.transcribe(speech, language, cancelled)

    def synthesize(
        self, text: str, voice: Voice, cancelled: Callable[[], bool], urgent: Callable[[], bool]
    ) -> Iterator[npt.NDArray[np.int16]]:
        """Speak, as the interface says; sooner if ``urgent()``. Blocks, also until it is loaded."""
        engine = self._engines.tts
        with self._speaking.held(lambda: cancelled() or urgent()) if engine.serial else nullcontext():
            yield from engine.synthesize(text, voice.name, voice.speed, cancelled)

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
