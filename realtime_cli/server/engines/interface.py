"""What the local voice server asks of its four engines. Each engine file imports its library when loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EAR_RATE_HZ = 16_000
"""The rate at which voice activity and speech recognition listen (Silero and Whisper are trained at 16 kHz)."""

SAMPLE_BYTES = 2
"""All speech is 16 bits a sample and mono."""

VAD_FRAMES = 512
"""Frames of one voice-activity decision at 16 kHz: 32 ms, the only size Silero v5 and later take."""


class FunctionCall(msgspec.Struct, frozen=True):
    """A call that the model made earlier; ``arguments`` is the JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


class Message(msgspec.Struct, frozen=True):
    """One message of the conversation as a language model reads it."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    images: tuple[str, ...] = ()
    """Addresses of pictures in a user's message: data URIs, or what the client named."""
    calls: tuple[FunctionCall, ...] = ()
    """Functions that an assistant's message called."""
    call_id: str = ""
    """Which call the ``text`` of a ``tool`` message is the output of."""


class Function(msgspec.Struct, frozen=True):
    """A function that the model may call; ``parameters`` is a JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = {}


class Tools(msgspec.Struct, frozen=True):
    """The functions on offer, and how free the model is to call them."""

    functions: tuple[Function, ...] = ()
    choice: Literal["none", "auto", "required"] = "auto"
    named: str = ""
    """With ``required``: the one function to call."""
    parallel: bool = True
    """Several calls in one reply are welcome."""


NO_TOOLS = Tools()


class CallBegun(msgspec.Struct, frozen=True):
    """The model calls a function. Its arguments follow, all of them before the next text or call."""

    call_id: str
    name: str


class CallArguments(msgspec.Struct, frozen=True):
    """More of the arguments of the call that was begun last."""

    delta: str


class Ended(msgspec.Struct, frozen=True):
    """The last piece of a reply, from a model that knows more about it than that it is over."""

    cut_off: bool = False
    """The model had more to say than it was allowed."""
    read_tokens: int | None = None
    cached_tokens: int | None = None
    """How many of ``read_tokens`` the model remembered from before."""
    written_tokens: int | None = None


UNCOUNTED = Ended()


Piece: TypeAlias = str | CallBegun | CallArguments | Ended
"""What a reply comes in: text is plain strings."""


class Transcription(msgspec.Struct, frozen=True):
    """What was recognised, and how sure the recogniser is that there was no speech at all (0..1)."""

    text: str
    no_speech_probability: float = 0.0
    language: str = ""
    """In which language (ISO 639-1), where the recogniser can tell."""


class VoiceActivity(Protocol):
    """Says of each 32 ms whether somebody speaks. Stateful: one instance for one stream of audio."""

    def probability(self, frame: npt.NDArray[np.float32]) -> float:
        """Speech probability 0..1 of one frame, shape ``(512,)``, -1..1, 16 kHz. Blocks about 0.2 ms."""

    def reset(self) -> None:
        """Forget what was heard."""


class TurnDetection(Protocol):
    """Hears whether somebody who is silent now has said all they wanted to say."""

    def finished(self, speech: npt.NDArray[np.float32]) -> float:
        """Probability 0..1 that the turn is over, from its last 8 s up to now: shape ``(frames,)``, -1..1, 16 kHz.

        Blocks for some ten milliseconds. Any thread.
        """


class SpeechToText(Protocol):
    """Recognises one utterance."""

    serial: bool
    """It does one thing after the other: those who come meanwhile had better wait in a fair order."""

    def transcribe(
        self, speech: npt.NDArray[np.float32], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        """Recognise ``speech``, shape ``(frames,)``, -1..1, 16 kHz, in ``language`` (ISO 639-1) or the one it hears.

        Blocks for some hundred ms, and while others are recognised; nothing is recognised once ``cancelled()``. Raises
        :class:`~realtime_cli.errors.RealtimeError` when it fails.
        """


class LanguageModel(Protocol):
    """Writes replies. Any number of threads may ask at once."""

    def reply(
        self, messages: Sequence[Message], tools: Tools, max_tokens: int, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        """Yield the reply piece by piece, at most ``max_tokens`` tokens of it. Blocks between pieces.

        Stops soon after ``cancelled()`` is true, which may be asked on another thread. Raises
        :class:`~realtime_cli.errors.RealtimeError` when the model fails, also in the middle.
        """

    def prepare(self, messages: Sequence[Message], tools: Tools, cancelled: Callable[[], bool]) -> None:
        """Read what replies will begin with, where reading ahead saves time and costs nothing. Blocks meanwhile."""

    def close(self) -> None:
        """Free the model and whatever runs beside it; may be called twice."""


class TextToSpeech(Protocol):
    """Speaks one sentence."""

    serial: bool
    """As of :class:`SpeechToText`."""

    voices: Sequence[str]
    """Names that :meth:`synthesize` knows; the first is the default, and an unknown one means the default."""

    def synthesize(
        self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]
    ) -> Iterator[npt.NDArray[np.int16]]:
        """Speak ``text``: yields int16, shape ``(frames,)``, 24 kHz, as it is made; nothing for what has no sound.

        Blocks between pieces, and stops soon after ``cancelled()``. Raises
        :class:`~realtime_cli.errors.RealtimeError` when it fails, also in the middle.
        """
