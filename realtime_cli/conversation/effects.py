"""What the conversation asks for. The session carries the effects out, in order, on its main thread."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from realtime_cli.conversation.records import Record
from realtime_cli.errors import RealtimeError
from realtime_cli.protocol.client_events import ClientEvent
from realtime_cli.protocol.dialects import Dialect


class Send(msgspec.Struct, frozen=True):
    """Send a client event, behind all audio that waits to be sent."""

    event: ClientEvent
    epoch: int | None = None
    """On this connection; None for the current one."""


class Connect(msgspec.Struct, frozen=True):
    """Open a connection, which is known by this number. It takes the place of the one before, unless on standby.

    What is sent to it waits until it is open; what was to be sent to the one before is given up. No microphone audio
    goes to it until :class:`ResumeMic`.
    """

    epoch: int
    standby: bool = False
    """The one before goes on meanwhile; what happens on this one is told as ``facts.OnStandby``."""


class Use(msgspec.Struct, frozen=True):
    """The connection that stands by is the current one from now on; the one before is closed."""

    epoch: int


class Drop(msgspec.Struct, frozen=True):
    """Close a connection; nothing more is told of it."""

    epoch: int


class ResumeMic(msgspec.Struct, frozen=True):
    """Send the microphone to the current connection, and tell where it begins (``facts.MicResumed``).

    At most the last ``seconds`` that were captured before go first; older ones, or ones from before a sleep, never.
    """

    seconds: float = 0.0


class Speak(msgspec.Struct, frozen=True):
    """Put all that is sent from now on into another dialect."""

    dialect: Dialect
    epoch: int | None = None
    """On this connection; None for the current one."""


class Play(msgspec.Struct, frozen=True):
    """Play a piece of the model's voice: base64 PCM16, decoded by the playback thread."""

    item_id: str
    content_index: int
    delta: str


class EndOfAudio(msgspec.Struct, frozen=True):
    """No more audio will come for this part."""

    item_id: str
    content_index: int


class Flush(msgspec.Struct, frozen=True):
    """Silence the playback at once and tell what was heard (:class:`~realtime_cli.conversation.facts.Flushed`)."""


class Pause(msgspec.Struct, frozen=True):
    """Pause the model's voice within 50 ms, at a place that is kept: to go on from with ``Resume``, or to flush at."""


class Resume(msgspec.Struct, frozen=True):
    """Let the model's voice go on where ``Pause`` paused it."""


class Feed(msgspec.Struct, frozen=True):
    """Send the whole recording to the input buffer, then say so (:class:`~realtime_cli.conversation.facts.Fed`)."""

    source: str
    """Its name (``session.drivers.OpenRecording``)."""
    cut: bool = False
    """Commit it piece by piece (:class:`~realtime_cli.conversation.facts.Cut`)."""
    from_ms: int = 0
    """Begin so far into it."""


class FeedSilence(msgspec.Struct, frozen=True):
    """Send silence to the input buffer, so that a server's voice detection hears the end of what was said."""

    duration_ms: int


class OpenMic(msgspec.Struct, frozen=True):
    """Let microphone blocks through to the server."""

    cut: bool = False
    """Commit them piece by piece (:class:`~realtime_cli.conversation.facts.Cut`)."""


class CloseMic(msgspec.Struct, frozen=True):
    """Let no microphone block through, and tell how much was let through (``facts.MicClosed``)."""


class Mute(msgspec.Struct, frozen=True):
    """Send silence instead of the microphone, or the microphone again. Silence, so that the server hears an end."""

    on: bool


class ChangeDevice(msgspec.Struct, frozen=True):
    """Take another microphone or loudspeaker; the conversation goes on meanwhile."""

    end: Literal["microphone", "speaker"]
    name: str


class RunTool(msgspec.Struct, frozen=True):
    """Run a function on a thread of its own, then tell its outcome (``facts.ToolReturned``).

    ``run_id`` is ours and names one run: servers use the ids of their calls again.
    """

    run_id: str
    name: str
    arguments: str


class CancelTool(msgspec.Struct, frozen=True):
    """Give up a function that has had its time; nobody waits for its outcome any more."""

    run_id: str


class Show(msgspec.Struct, frozen=True):
    """Show a record."""

    record: Record


class End(msgspec.Struct, frozen=True):
    """The conversation is over."""

    exit_code: int
    reason: str
    error: RealtimeError | None = None
    """What it ended with, unless it came to its end."""


Effect: TypeAlias = (
    Send
    | Speak
    | Connect
    | Use
    | Drop
    | ResumeMic
    | Play
    | EndOfAudio
    | Flush
    | Pause
    | Resume
    | Feed
    | FeedSilence
    | OpenMic
    | CloseMic
    | Mute
    | ChangeDevice
    | RunTool
    | CancelTool
    | Show
    | End
)
