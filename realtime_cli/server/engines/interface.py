"""What the local voice server asks of its four engines. Each engine file imports its library when loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EAR_RATE_HZ = 16_000
"""The rate at which voice activity and speech recognition listen (Silero and Whisper are trained at 16 kHz)."""

VAD_FRAMES = 512
"""Frames of one voice-activity decision at 16 kHz: 32 ms, the only size Silero v5 and later take."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation as a language model reads it."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was recognised, and how sure the recogniser is that there was speech at all (0..1)."""

    text: str
    no_speech_probability: float


class VoiceActivity(Protocol):
    """Says of each 32 ms whether somebody speaks. Stateful: one instance for one stream of audio."""

    def probability(self, frame: npt.NDArray[np.float32]) -> float:
        """Speech probability 0..1 of one frame, shape ``(512,)``, -1..1, 16 kHz. Blocks about 0.2 ms."""

    def reset(self) -> None:
        """Forget what was heard."""


class SpeechToText(Protocol):
    """Recognises one utterance."""

    def transcribe(self, speech: npt.NDArray[np.float32], language: str | None = None) -> Transcription:
        """Recognise ``speech``, shape ``(frames,)``, -1..1, 16 kHz. Blocks for some hundred ms; one call at a time."""


class LanguageModel(Protocol):
    """Writes replies."""

    def reply(self, messages: Sequence[Message], max_tokens: int, cancelled: Callable[[], bool]) -> Iterator[str]:
        """Yield the reply piece by piece; stops soon after ``cancelled()`` is true. Blocks between pieces."""

    def close(self) -> None:
        """Free the model and whatever runs beside it; may be called twice."""


class TextToSpeech(Protocol):
    """Speaks one sentence."""

    voices: Sequence[str]
    """Names that :meth:`synthesize` knows; the first is the default, and an unknown one means the default."""

    def synthesize(self, text: str, voice: str, speed: float) -> npt.NDArray[np.int16]:
        """Speak ``text``: int16, shape ``(frames,)``, 24 kHz; empty when there is nothing to say. Blocks."""
