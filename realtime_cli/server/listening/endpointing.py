"""Where speech begins and ends, decided from one speech probability every 32 ms. Pure: no audio, no clock.

A frame is speech at ``threshold`` and silence below ``threshold - 0.15``; what lies between changes nothing (the
hysteresis of Silero's own iterator, https://github.com/snakers4/silero-vad/blob/master/src/silero_vad/utils_vad.py).
Speech begins with three speech frames among four, so that a click of one or two frames is no speech, and it is resumed
by two in a row, so that a click does not prolong a pause.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

FRAME_MS = 32
"""One decision of the voice-activity engine."""

HYSTERESIS = 0.15
ONSET_FRAMES = 3
ONSET_WINDOW = 4
RESUME_FRAMES = 2

EARLY_SILENCE_MS = 128
"""A silence this long may be the end: recognition starts on suspicion, and the reply is begun before the end is sure.
As many words are understood as with 160 ms (of 1069 words 34 and 36 wrong), with 96 ms fewer (38)."""

ASKING_MS = (192, 960)
"""After so much silence it is asked whether the turn sounds finished: as soon as a pause is one (Smart Turn is trained
on 200 ms of silence), and again before a turn that ended oddly has to wait for the last resort."""

SURE_LATER = 0.9
"""What the second answer must be at least: the longer the silence, the more finished everything sounds."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """How ``semantic_vad`` ends a turn, by eagerness (https://platform.openai.com/docs/guides/realtime-vad)."""

    finished_from: float
    """From this probability on the turn counts as finished."""
    last_resort_ms: int
    """A silence that ends any turn; the remote service's are 8, 4 and 2 s."""
    silence_ms: int
    """One that ends it where nobody can tell what sounds finished."""


EAGERNESS = {
    "low": Meaning(0.8, 8000, 1200),
    "medium": Meaning(0.5, 4000, 700),
    "auto": Meaning(0.5, 4000, 700),
    "high": Meaning(0.3, 2000, 400),
}

DEFAULT_THRESHOLD = 0.5
DEFAULT_PREFIX_PADDING_MS = 300


@dataclass(frozen=True, slots=True)
class Endpointing:
    """Settings of ``server_vad`` (https://platform.openai.com/docs/guides/realtime-vad), or of ``semantic_vad``."""

    threshold: float = DEFAULT_THRESHOLD
    prefix_padding_ms: int = DEFAULT_PREFIX_PADDING_MS
    silence_duration_ms: int = 500
    meaning: Meaning | None = None
    """Listen for the end of what is said rather than for silence."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks; ``audio_start_ms`` includes the padding before the first sound."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class MaybeEnded:
    """A first short silence: the speech up to ``audio_end_ms`` may be all of it."""

    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The silence was a pause."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Does what was said up to now sound finished? Answered with :meth:`Endpointer.judged`, before the next frame."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The silence lasted; ``audio_end_ms`` includes it."""

    audio_end_ms: int


Decision: TypeAlias = SpeechStarted | MaybeEnded | Resumed | SpeechStopped


class Endpointer:
    """The state between two frames. One reader, no lock."""

    def __init__(self, settings: Endpointing, start_ms: int = 0, *, can_ask: bool = False) -> None:
        """``start_ms``: where in the session's audio the first frame lies; no speech is dated before it.

        ``can_ask``: somebody answers :class:`Asking`.
        """
        self._settings = settings
        self._longest_ms = settings.silence_duration_ms
        self._asks = settings.meaning if can_ask else None
        if settings.meaning is not None:
            self._longest_ms = settings.meaning.last_resort_ms if can_ask else settings.meaning.silence_ms
        self._earliest_ms = start_ms
        self._now_ms = start_ms
        self._recent: deque[bool] = deque(maxlen=ONSET_WINDOW)
        self._speaking = False
        self._silent_since_ms: int | None = None
        self._suspected = False

    def judged(self, finished: float) -> Decision | None:
        """What was said up to now sounds finished with this probability (0..1)."""
        if self._asks is None or self._silent_since_ms is None:
            return None
        first = self._now_ms - self._silent_since_ms <= ASKING_MS[0]
        enough = self._asks.finished_from if first else max(self._asks.finished_from, SURE_LATER)
        return self._stop() if finished >= enough else None

    def frame(self, probability: float) -> Decision | Asking | None:
        """Take the next 32 ms; at most one thing is decided by a frame."""
        self._now_ms += FRAME_MS
        loud = probability >= self._settings.threshold
        self._recent.append(loud)
        if not self._speaking:
            return self._onset()
        if loud:
            return self._resumption()
        if self._silent_since_ms is None:
            if probability >= self._settings.threshold - HYSTERESIS:
                return None
            self._silent_since_ms = self._now_ms - FRAME_MS
        return self._silence(self._now_ms - self._silent_since_ms)

    def _onset(self) -> Decision | None:
        if sum(self._recent) < ONSET_FRAMES:
            return None
        first = list(self._recent).index(True)
        onset_ms = self._now_ms - FRAME_MS * (len(self._recent) - first)
        self._speaking = True
        return SpeechStarted(max(self._earliest_ms, onset_ms - self._settings.prefix_padding_ms))

    def _resumption(self) -> Decision | Asking | None:
        if self._silent_since_ms is None:
            return None
        if not all(list(self._recent)[-RESUME_FRAMES:]):
            return self._silence(self._now_ms - self._silent_since_ms)
        self._silent_since_ms = None
        suspected, self._suspected = self._suspected, False
        return Resumed() if suspected else None

    def _silence(self, silence_ms: int) -> Decision | Asking | None:
        if silence_ms >= self._longest_ms:
            return self._stop()
        if silence_ms >= EARLY_SILENCE_MS and not self._suspected:
            self._suspected = True
            return MaybeEnded(self._now_ms)
        return Asking() if self._asks is not None and silence_ms in ASKING_MS else None

    def _stop(self) -> Decision:
        self._speaking = self._suspected = False
        self._silent_since_ms = None
        self._recent.clear()
        self._earliest_ms = self._now_ms
        return SpeechStopped(self._now_ms)
