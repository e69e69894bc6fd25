"""What the server's core is told: the client's messages, decisions of voice detection, and results of the engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from realtime_cli.server.engines.interface import UNCOUNTED, Ended
from realtime_cli.server.listening.endpointing import Decision


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """A text message from the client, not yet parsed."""

    text: str


@dataclass(frozen=True, slots=True)
class BinaryMessage:
    """A message from the client that is no text."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A recognition job is done; ``text`` is empty when there was no speech."""

    job: int
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    """A recognition job came to nothing."""

    job: int
    problem: str


@dataclass(frozen=True, slots=True)
class ReplyPiece:
    """The next piece of a reply: a token of a written one, a sentence of a spoken one with its sound.

    ``audio`` is in the response's output format; ``tokens`` is how many tokens of the model the piece took.
    """

    response_id: str
    text: str
    audio: bytes = b""
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class CallPiece:
    """The model calls a function: once with empty ``arguments`` when it begins, then each piece of their JSON text.

    A call is complete when another one or more text begins, or the reply is finished.
    """

    response_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """No more pieces; ``cut_off`` when the model had more to say than it was allowed, and what the model counted."""

    response_id: str
    cut_off: bool = False
    counted: Ended = UNCOUNTED


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The model or the voice failed."""

    response_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class ServerFailed:
    """Something of the server's own failed, and the connection is about to end."""

    problem: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The core's ``deadline`` has come."""


Fact: TypeAlias = (
    ClientMessage
    | BinaryMessage
    | Decision
    | Transcribed
    | TranscriptionFailed
    | ReplyPiece
    | CallPiece
    | ReplyFinished
    | ReplyFailed
    | ServerFailed
    | Tick
)
