"""What the conversation is told: server events as they are, and these facts from this side of the wire."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from realtime_cli.conversation.records import SourceState
from realtime_cli.conversation.tool_definitions import Consent, ToolDefinition, ToolOutcome
from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.items import Content


class Opened(msgspec.Struct, frozen=True):
    """The connection is there. ``wall_s``: seconds since 1970 then, by which servers say when a session ends."""

    wall_s: float | None = None


class Lost(msgspec.Struct, frozen=True):
    """The connection ended without being asked to. ``silent_s``: for how long nothing had come from the server."""

    error: ConnectionFailed
    silent_s: float = 0.0


class OnStandby(msgspec.Struct, frozen=True):
    """What happened on a connection that stands by (``effects.Connect``), known by its number."""

    epoch: int
    fact: Opened | Lost | ServerEvent | UnknownEvent


class MicResumed(msgspec.Struct, frozen=True):
    """Where in the audio since the microphone was first opened a connection's audio begins, in ms."""

    from_ms: int


class Slept(msgspec.Struct, frozen=True):
    """This machine slept for so long. The core's clock did not go on meanwhile; the server's did."""

    seconds: float


class Typed(msgspec.Struct, frozen=True):
    """The user wrote a turn; ``parts`` are what else belongs to it, such as images."""

    text: str
    parts: tuple[Content, ...] = ()
    answers: bool = False
    """If it is a word such as "yes", it answers the question whether a function may run, where one is asked."""


class Wanted(msgspec.Struct, frozen=True):
    """The model is to say something without a turn of the user's, when nothing else is going on."""

    instructions: str | None = None
    """For this reply only, in place of the session's."""


class Retried(msgspec.Struct, frozen=True):
    """The user wants another reply in the place of the last one."""


class UsageAsked(msgspec.Struct, frozen=True):
    """The user asks what the conversation has used and cost so far."""


class BudgetSet(msgspec.Struct, frozen=True):
    """The user sets what the conversation may cost, from its beginning on, in US dollars."""

    usd: float


class SavingAsked(msgspec.Struct, frozen=True):
    """The user asks where the conversation is saved."""


class ToolsAsked(msgspec.Struct, frozen=True):
    """The user wants to know what the model may call."""


class Reconfigured(msgspec.Struct, frozen=True, kw_only=True):
    """The user changes the session while it lasts; what is None stays as it is."""

    instructions: str | None = None
    voice: str | None = None
    vad: Literal["server", "semantic"] | None = None


class DeviceChosen(msgspec.Struct, frozen=True):
    """The user wants another microphone or loudspeaker, by a unique part of its name or its number."""

    end: Literal["microphone", "speaker"]
    name: str


class Spoken(msgspec.Struct, frozen=True):
    """The user wants a recording sent as one turn; ``source`` is its name (``session.drivers.OpenRecording``)."""

    source: str


class Fed(msgspec.Struct, frozen=True):
    """All of a recording is on its way to the server."""


class InputsEnded(msgspec.Struct, frozen=True):
    """No further turn will be typed or named; the conversation ends when the last one has been answered."""


class MicEnded(msgspec.Struct, frozen=True):
    """A microphone that is a file or a pipe is at its end; silence follows."""


class Pressed(msgspec.Struct, frozen=True):
    """The talk key went down: to talk, or, where that is going on, to send (a second tap, or a release was lost)."""


class StopReply(msgspec.Struct, frozen=True):
    """A key stops what is being said, or about to be: as an interruption does, but no turn of the user's follows."""


class Released(msgspec.Struct, frozen=True):
    """The talk key went up, or can no longer be held."""


class MicOpened(msgspec.Struct, frozen=True):
    """The microphone that was to be opened delivers."""


class MicState(msgspec.Struct, frozen=True):
    """The microphone began to work, was lost, or gives nothing but digital silence."""

    state: SourceState


class MicClosed(msgspec.Struct, frozen=True):
    """The answer to closing the microphone: how much it delivered since it was opened."""

    spoken_ms: int
    has_speech: bool = True
    """Whether somebody spoke since the last cut, where the audio is cut on this side of the wire."""


class Cut(msgspec.Struct, frozen=True):
    """The audio was cut on this side of the wire, and the piece committed if there is speech in it, else forgotten.

    Milliseconds since the first block.
    """

    start_ms: int
    end_ms: int
    has_speech: bool


class Heard(msgspec.Struct, frozen=True):
    """How much of one part's audio has been played so far, and whether that was all of it."""

    item_id: str
    content_index: int
    heard_ms: int
    finished: bool


class Flushed(msgspec.Struct, frozen=True):
    """The answer to a flush: what had been heard of each part that was still in play."""

    parts: tuple[Heard, ...]


class Muted(msgspec.Struct, frozen=True):
    """The user muted the microphone, or opened it again."""

    on: bool


class ToolsReady(msgspec.Struct, frozen=True):
    """All that is offered to the model is known; the session waits for it."""

    definitions: tuple[ToolDefinition, ...]


class ToolReturned(msgspec.Struct, frozen=True):
    """A run of a function came to its end, one way or another."""

    run_id: str
    outcome: ToolOutcome


class Decided(msgspec.Struct, frozen=True):
    """The user answers the question whether a function may run; without a question it means nothing."""

    answer: Consent


class Quit(msgspec.Struct, frozen=True):
    """The user asked for the end, or (with an exit code of its own) a signal did."""

    exit_code: int = 0


class Failed(msgspec.Struct, frozen=True):
    """A worker ended with an error: a lost connection, a device that went, or a bug."""

    error: RealtimeError


class Noted(msgspec.Struct, frozen=True):
    """A driver has something to tell the user that changes nothing."""

    text: str


class Tick(msgspec.Struct, frozen=True):
    """Time has passed; sent when the conversation's ``deadline`` is due."""


Fact: TypeAlias = (
    ServerEvent
    | UnknownEvent
    | Opened
    | Lost
    | OnStandby
    | MicResumed
    | Slept
    | Typed
    | Wanted
    | Spoken
    | Retried
    | ToolsAsked
    | UsageAsked
    | BudgetSet
    | SavingAsked
    | Reconfigured
    | DeviceChosen
    | Fed
    | InputsEnded
    | MicEnded
    | StopReply
    | Pressed
    | Released
    | MicOpened
    | MicState
    | MicClosed
    | Cut
    | Muted
    | ToolsReady
    | ToolReturned
    | Decided
    | Heard
    | Flushed
    | Quit
    | Failed
    | Noted
    | Tick
)
