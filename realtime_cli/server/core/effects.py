"""What the server's core asks for. The pipeline carries the effects out in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.server.engines.interface import NO_TOOLS, Message, Tools
from realtime_cli.server.listening.endpointing import Endpointing


@dataclass(frozen=True, slots=True)
class Emit:
    """Send an event to the client."""

    event: ServerEvent


@dataclass(frozen=True, slots=True)
class Listen:
    """Take input audio in this format from now on, and look for speech as told (None: do not look)."""

    audio_format: str
    endpointing: Endpointing | None


@dataclass(frozen=True, slots=True)
class Hear:
    """Take this piece of input audio; what is decided about it comes back as facts before anything else."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the input audio before ``before_ms`` and look for speech afresh."""

    before_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the input buffer, in ms since the start of the session's audio."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Recording:
    """Audio that came inside an item."""

    audio: bytes
    audio_format: str


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Recognise speech; answered by Transcribed or TranscriptionFailed with the same ``job``."""

    job: int
    speech: Span | Recording
    language: str | None = None
    suspected: bool = False
    """The speech may go on: whoever is waited for goes first."""


@dataclass(frozen=True, slots=True)
class Hurry:
    """The speech that a recognition was begun for on suspicion is over: from now on it is waited for."""

    job: int


@dataclass(frozen=True, slots=True)
class DropTranscription:
    """Nobody waits for this job any more, nor for the reply anticipated to what it came to."""

    job: int


@dataclass(frozen=True, slots=True)
class Voice:
    """How a reply is spoken."""

    name: str
    speed: float
    audio_format: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Let the model read what every reply will begin with, now that nobody waits; nothing comes back."""

    messages: tuple[Message, ...]
    tools: Tools = NO_TOOLS


@dataclass(frozen=True, slots=True)
class StartReply:
    """Make a reply from ``messages``, or of ``words`` as they are; written when ``voice`` is None.

    Answered by ReplyPiece and CallPiece facts and one ReplyFinished or ReplyFailed, unless it is cancelled before.
    """

    response_id: str
    messages: tuple[Message, ...]
    words: str | None
    max_tokens: int
    voice: Voice | None
    tools: Tools = NO_TOOLS


@dataclass(frozen=True, slots=True)
class Anticipate:
    """Begin to make a reply that will be asked for if the recognition ``job`` heard all of what the user says.

    Nothing comes back before a StartReply that asks for the same; its ``response_id`` is still to come.
    """

    job: int
    reply: StartReply


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop making this reply; its facts are no longer wanted."""

    response_id: str


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """The session is over: close the connection with this code and reason, and take nothing any more."""

    code: int
    reason: str


Effect: TypeAlias = (
    Emit
    | Listen
    | Hear
    | Forget
    | Transcribe
    | Hurry
    | DropTranscription
    | Prepare
    | StartReply
    | Anticipate
    | CancelReply
    | CloseConnection
)

NewId: TypeAlias = Callable[[str], str]
"""A fresh id that begins with the given prefix and an underscore."""


class EffectList:
    """What the parts of the core want done, in order, until it is taken."""

    def __init__(self, new_id: NewId) -> None:
        self.new_id = new_id
        self._effects: list[Effect] = []

    def do(self, effect: Effect) -> None:
        """Ask for an effect."""
        self._effects.append(effect)

    def emit(self, event: ServerEvent) -> None:
        """Send an event, under an id of its own."""
        self.do(Emit(replace(event, event_id=self.new_id("event"))))

    def emit_all(self, events: Iterable[ServerEvent]) -> None:
        """Send events in order."""
        for event in events:
            self.emit(event)

    def refuse(self, error: ErrorDetail) -> None:
        """Tell the client what it cannot have."""
        self.emit(ErrorEvent(error=error))

    def server_error(self, problem: str) -> None:
        """Tell the client that something of ours failed."""
        self.emit(ErrorEvent(error=ErrorDetail(type="server_error", code="server_error", message=problem)))

    def take(self) -> list[Effect]:
        """What was asked for since the last call."""
        effects, self._effects = self._effects, []
        return effects
