"""What a session is made of, and what lives how long.

========== ============================================================================================================
lifetime   what
========== ============================================================================================================
process    settings, the view, the inputs (keyboard, standard input), the tools and their MCP servers, the embedded
           server's weights
session    the core with its history and sums, the microphone's gate, the playout buffer, the inbox, the journal and
           the recorder
device     a source runs from the opening of the microphone to its closing (push-to-talk: once a press), a sink from
           the first to the last moment; both look for another device when theirs is lost
connection a transport, an encoder (dialect, resampler) and what waits to be sent: made anew for each
========== ============================================================================================================

A session makes its devices and transports itself, by the factories here: some have something to tell the user, and
there may be several connections in one session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

import msgspec

from realtime_cli.audio.core.meters import Meters
from realtime_cli.conversation.facts import Fact
from realtime_cli.errors import InputError
from realtime_cli.ports import (
    AudioSink,
    AudioSource,
    Core,
    EchoControl,
    FileWriter,
    Input,
    Journal,
    Note,
    Recorder,
    ToolHost,
    Transport,
    View,
)
from realtime_cli.session.sending import Encoder

MakeSource = Callable[[Note], AudioSource | None]
"""Makes the microphone, or none. Main thread. Raises InputError for one that cannot be."""

MakeSink = Callable[[Note, Callable[[], int]], AudioSink | None]
"""Makes the loudspeaker, or none; the second argument says how many frames can be played now, on any thread."""

MakeEchoControl = Callable[[Note], EchoControl | None]
"""Makes what keeps the loudspeaker out of the microphone, or nothing. Main thread; may load a library."""


OpenRecording = Callable[[str, int], Iterator[bytes]]
"""Opens the recording of this name so many ms into it: PCM16 24 kHz mono in blocks. Feeder thread; blocks for the disk.

Raises InputError. May be called again for the same recording.
"""


OtherSource = Callable[[str, Note], AudioSource]
OtherSink = Callable[[str, Note], AudioSink]
"""Makes the device of this name that is to take the place of another. Main thread. Raises InputError."""


def no_other(_name: str, _note: Note) -> NoReturn:
    """There is no device to be changed."""
    raise InputError("this conversation has no device to change", "name one when you start it")


def nothing(*_: object) -> None:
    """Make nothing, or do nothing."""


def no_recordings(_name: str, _from_ms: int) -> Iterator[bytes]:
    """Hold no recording at all."""
    return iter(())


class Drivers(msgspec.Struct, frozen=True, kw_only=True):
    """The outside world of one session; the factories are called on the main thread while it runs."""

    core: Core
    view: View
    make_transport: Callable[[Note], Transport]
    """Makes the way to the server; called once a connection."""
    make_encoder: Callable[[], Encoder]
    """Makes what puts events into the server's shape; called once a connection."""
    make_source: MakeSource = nothing
    make_sink: MakeSink = nothing
    make_echo_control: MakeEchoControl = nothing
    other_source: OtherSource = no_other
    other_sink: OtherSink = no_other
    open_recording: OpenRecording = no_recordings
    meters: Meters | None = None
    """Are told what passes at both ends."""
    inputs: tuple[Input, ...] = ()
    interrupt_stops_reply: bool = False
    """Ctrl-C stops a reply that is under way, and ends the conversation only where there is none."""
    tools: ToolHost | None = None
    make_journal: Callable[[Note], Journal | None] = nothing
    """Makes what keeps what is told, unless the user wants nothing kept. Main thread."""
    make_recorder: Callable[[Note], Recorder | None] = nothing
    """Makes what keeps what is heard, where the user wants it. Main thread."""
    wire_log: FileWriter | None = None
    """What keeps the messages of all connections; ``make_transport`` knows it."""
    first_facts: tuple[Fact, ...] = ()
    """What the core is told before anything else."""
    on_failure: Callable[[BaseException], None] = nothing
    """Told of each error that ends a thread, on that thread: the place for a traceback."""
