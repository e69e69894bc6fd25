"""The small interfaces between the session and the outside world.

The session owns every thread on the client side, so a driver never starts one: it offers a blocking ``run`` that the
session calls on a thread of its own, and that returns when ``stopping`` is set or raises one of
:mod:`realtime_cli.errors`. (PortAudio's own callback thread is the exception; it lives between ``open`` and ``close``.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from realtime_cli.conversation.effects import Effect
    from realtime_cli.conversation.facts import Fact
    from realtime_cli.conversation.records import Record, Snapshot, SourceState
    from realtime_cli.conversation.tool_definitions import ToolDefinition, ToolOutcome

Deliver = Callable[[bytes], None]
"""Takes one microphone block: PCM16 24 kHz mono, whole frames. Never blocks; callable on a device thread."""

Pull = Callable[[int], "npt.NDArray[np.int16]"]
"""Gives exactly ``frames`` frames, int16, shape ``(frames,)``, 24 kHz, silence where there is nothing to play.

Never blocks; callable on a device thread.
"""


Note = Callable[[str], None]
"""Takes one line for the user. Any thread; returns at once."""

OnWire = Callable[[Literal["sent", "received"], str], None]
"""Takes a message that passed, fit for a log: without secrets and payloads. Any thread; returns at once."""


class Core(Protocol):
    """What decides: facts in, effects out, without I/O. Main thread; nothing blocks."""

    def handle(self, fact: Fact, now: float) -> list[Effect]:
        """What is to be done about ``fact``, which came at ``now`` seconds of a monotonic clock."""

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, if nothing else happens."""

    @property
    def audible(self) -> bool:
        """Whether some audio is still to be heard: then progress is worth reporting."""

    @property
    def urgent(self) -> bool:
        """Whether somebody speaks or waits: then a lost connection must be noticed within seconds."""

    def snapshot(self) -> Snapshot:
        """How things stand."""


class AudioSource(Protocol):
    """Where the user's speech comes from: a device, a file, a pipe, or nothing."""

    @property
    def name(self) -> str:
        """What it is called; empty for nothing, and before a device is open. Any thread."""

    @property
    def state(self) -> SourceState:
        """Whether it hears; only devices can be lost. Any thread."""

    @property
    def overflows(self) -> int:
        """How often audio was lost because this machine was too busy; only devices can fall behind. Any thread."""

    def open(self) -> None:
        """Check and open the source; may block for a device's start. Main thread. Raises AudioError or InputError."""

    def run(self, deliver: Deliver, at_end: Callable[[], None], stopping: threading.Event) -> None:
        """Deliver blocks at the pace of a clock until ``stopping`` is set. Own thread. Raises AudioError.

        A device that is opened on demand, for push-to-talk, is run once a press.

        A source with an end calls ``at_end`` once, when its last block is delivered, and goes on with silence:
        a server's voice detection needs to hear that the speaker stopped.
        """

    def close(self) -> None:
        """Release the device or file. Any thread; does not hang; may be called twice."""


class AudioSink(Protocol):
    """Where the model's voice goes: a device, a file, a pipe, or nothing."""

    @property
    def name(self) -> str:
        """What it is called; empty for nothing, and before a device is open. Any thread."""

    @property
    def underflows(self) -> int:
        """How often there was nothing to play because this machine was too busy; devices only. Any thread."""

    @property
    def latency_ms(self) -> float:
        """How long after it was pulled a frame is heard, as far as is known; 0.0 before :meth:`open`. Any thread."""

    def open(self) -> None:
        """Check and open the sink; may block for a device's start. Main thread. Raises AudioError or InputError."""

    def run(self, pull: Pull, stopping: threading.Event) -> None:
        """Pull and play until ``stopping`` is set. Own thread. Raises AudioError or InputError."""

    def close(self) -> None:
        """Release the device or finish the file. Any thread; does not hang; may be called twice."""


class EchoControl(Protocol):
    """Keeps what the loudspeaker plays out of what the microphone hears."""

    def played(self, samples: npt.NDArray[np.int16]) -> None:
        """Take exactly what is played next: shape ``(frames,)``, 24 kHz. Device thread; returns at once."""

    def clean(self, pcm: bytes) -> bytes:
        """What was captured next, as long as that: PCM16 24 kHz mono. Device thread; returns within a millisecond."""


class FileWriter(Protocol):
    """Writes what it is given into a file."""

    def run(self) -> None:
        """Write until closed, whatever goes wrong. Own thread."""

    def close(self) -> None:
        """Let ``run`` write what is left, and end. Any thread; does not wait; may be called twice."""


class Journal(FileWriter, Protocol):
    """Keeps what is told."""

    def put(self, record: Record, t: float) -> None:
        """Keep what was told ``t`` seconds after the start. Any thread; returns at once."""


class Recorder(FileWriter, Protocol):
    """Keeps what is heard on both sides."""

    def spoke(self, pcm: bytes) -> None:
        """The user said this just now: PCM16 24 kHz mono. Any thread; returns at once."""

    def heard(self, samples: npt.NDArray[np.int16], latency_s: float = 0.0) -> None:
        """This is heard of the model in ``latency_s``: int16, shape ``(frames,)``, 24 kHz. Any thread; at once."""


class Transport(Protocol):
    """One connection to a server: text messages, each one JSON object, both ways."""

    def run(self, on_open: Callable[[], None], on_message: Callable[[str], None]) -> None:
        """Connect, then hand over each message, until the connection ends. Own thread.

        Returns after a close that was asked for. Raises ConnectionFailed when refused or lost.
        Both callbacks are called on this thread and must return at once.
        """

    def send(self, text: str) -> None:
        """Send one message; blocks while the network does. Sender thread. Raises ConnectionFailed."""

    def watch(self, *, urgent: bool, woke: bool = False) -> None:
        """See whether the other end lives; called some times a second. Any thread; does not wait.

        ``urgent``: somebody speaks or waits. ``woke``: this machine slept until now. When the other end does not live,
        ``run`` raises ConnectionFailed.
        """

    @property
    def silent_s(self) -> float:
        """For how long nothing has come from the other end. Any thread."""

    def close(self) -> None:
        """Ask ``run`` to end. Any thread; does not wait; may be called twice or before ``run``."""


class Input(Protocol):
    """A person or a script beside the microphone: the keyboard, or lines of standard input."""

    def open(self) -> None:
        """Take the keyboard, if it is one. Main thread. Raises InputError."""

    def see(self, snapshot: Snapshot) -> None:
        """How things stand, which some keys depend on. Main thread, after each fact; returns at once."""

    def run(self, post: Callable[[Fact], None], stopping: threading.Event) -> None:
        """Post facts until ``stopping`` is set or there are no more. Own thread. Raises InputError."""

    def close(self) -> None:
        """Give the keyboard back. Main thread; may be called twice."""


class ToolHost(Protocol):
    """What the model may call: functions of this machine, and tools of MCP servers."""

    def run(self, ready: Callable[[tuple[ToolDefinition, ...]], None], stopping: threading.Event) -> None:
        """Start what is to be started, tell ``ready`` once what is offered, and keep it until closed. Own thread.

        Raises InputError when something does not start.
        """

    def call(self, run_id: str, name: str, arguments: str) -> ToolOutcome:
        """Run a function; blocks until it is done. Whatever goes wrong is an outcome. Any thread, several at once."""

    def cancel(self, run_id: str) -> None:
        """Give a call up, as far as it can be cancelled. Any thread; returns at once."""

    def close(self) -> None:
        """Let ``run`` return. Any thread; does not wait; may be called twice or before ``run``."""


class View(Protocol):
    """What the user sees. Everything but ``open`` and ``close`` is called on the view thread only."""

    def open(self) -> None:
        """Prepare the terminal. Main thread."""

    @property
    def frame_s(self) -> float | None:
        """How long records may be gathered for the next drawing; None: each is shown at once, and nothing is drawn."""

    def show(self, record: Record, t: float) -> None:
        """What happened ``t`` seconds after the start. Raises BrokenPipeError when nobody reads any more."""

    def draw(self, snapshot: Snapshot) -> None:
        """Show how things stand; called some times a second, with the latest snapshot only."""

    def close(self) -> None:
        """Leave the terminal as it was found. Main thread, when the view thread is gone; may be called twice."""
