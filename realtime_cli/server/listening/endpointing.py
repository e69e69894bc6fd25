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

EARLY_SILENCE_MS = 160
"""A silence this long may be the end: recognition starts on suspicion, and is nearly done when the end is sure."""

EAGERNESS_SILENCE_MS = {"low": 1200, "medium": 700, "auto": 700, "high": 400}
"""How long a silence ends a turn under ``semantic_vad``. The remote service reads the words and waits up to 8, 4 and
2 s for an unfinished sentence; a fixed silence of this length is the nearest to it that hears only the sound."""

DEFAULT_THRESHOLD = 0.5
DEFAULT_PREFIX_PADDING_MS = 300


@dataclass(frozen=True, slots=True)
class Endpointing:
    """Settings of ``server_vad`` (https://platform.openai.com/docs/guides/realtime-vad)."""

    threshold: float = DEFAULT_THRESHOLD
    prefix_padding_ms: int = DEFAULT_PREFIX_PADDING_MS
    silence_duration_ms: int = 500


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
class SpeechStopped:
    """The silence lasted; ``audio_end_ms`` includes it."""

    audio_end_ms: int


Decision: TypeAlias = SpeechStarted | MaybeEnded | Resumed | SpeechStopped


class Endpointer:
    """The state between two frames. One reader, no lock."""

    def __init__(self, settings: Endpointing, start_ms: int = 0) -> None:
        """``start_ms``: where in the session's audio the first frame lies; no speech is dated before it."""
        self._settings = settings
        self._earliest_ms = start_ms
        self._now_ms = start_ms
        self._recent: deque[bool] = deque(maxlen=ONSET_WINDOW)
        self._speaking = False
        self._silent_since_ms: int | None = None
        self._suspected = False

    def frame(self, probability: float) -> Decision | None:
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

    def _resumption(self) -> Decision | None:
        if self._silent_since_ms is None:
            return None
        if not all(list(self._recent)[-RESUME_FRAMES:]):
            return self._silence(self._now_ms - self._silent_since_ms)
        self._silent_since_ms = None
        suspected, self._suspected = self._suspected, False
        return Resumed() if suspected else None

    def _silence(self, silence_ms: int) -> Decision | None:
        if silence_ms >= self._settings.silence_duration_ms:
            self._speaking = self._suspected = False
            self._silent_since_ms = None
            self._recent.clear()
            self._earliest_ms = self._now_ms
            return SpeechStopped(self._now_ms)
        if silence_ms >= EARLY_SILENCE_MS and not self._suspected:
            self._suspected = True
            return MaybeEnded(self._now_ms)
        return None
