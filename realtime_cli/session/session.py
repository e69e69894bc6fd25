"""One conversation from first to last thread.

The main thread owns the core: every other thread posts facts into the inbox, and none of them decides. What ends a
thread before its time becomes a fact, too.
"""

from __future__ import annotations

import gc
import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from queue import Empty, SimpleQueue

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    CancelTool,
    CloseMic,
    Effect,
    End,
    EndOfAudio,
    Feed,
    Flush,
    Mute,
    OpenMic,
    Play,
    RunTool,
    Send,
    Show,
    Speak,
)
from realtime_cli.conversation.records import AudioReported, Ended, Record
from realtime_cli.conversation.tool_offers import Offer
from realtime_cli.errors import INTERRUPTED_EXIT_CODE, ConnectionFailed, InternalError, RealtimeError
from realtime_cli.ports import AudioSink, AudioSource
from realtime_cli.protocol.dialects import NotAnEvent, from_wire
from realtime_cli.protocol.split_characters import SplitCharacters
from realtime_cli.session.drivers import Drivers
from realtime_cli.session.echo_control import overheard
from realtime_cli.session.interrupts import Terminated, deferred, die_of, ignored, raising_deadly_signals
from realtime_cli.session.microphone import Microphone
from realtime_cli.session.threads import Threads
from realtime_cli.session.workers import Player, Screen, SendQueue

VIEW = "view"
"""Name of the view's thread."""

PROGRESS_S = 0.05
"""How often playback's progress is told while something is audible: well under a syllable."""

LONGEST_WAIT_S = 0.5
"""The longest uninterrupted wait: on Windows a wait without end cannot be interrupted by Ctrl-C."""

SIGNAL_EXIT_CODE = 128
"""What shells add to the number of the signal that ended a program."""

SHUTDOWN_S = 3.0
"""What all threads together get to end."""


class Session:
    """See the module. ``run`` is called once, on the main thread."""

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._core = drivers.core
        self._inputs, self._tools = drivers.inputs, drivers.tools
        self._inbox: SimpleQueue[f.Fact] = SimpleQueue()
        self._queue = SendQueue()
        self._mic = Microphone(self._queue, self.post)
        self._screen = Screen(drivers.view)
        self._split = SplitCharacters()
        self._player: Player | None = None
        self._source: AudioSource | None = None
        self._sink: AudioSink | None = None
        self._stopping = threading.Event()
        self._threads = Threads(self._ended_badly)
        self._exit_code: int | None = None
        self._unshown: RealtimeError | None = None
        self._began = time.monotonic()

    def run(self) -> int:
        """Hold the conversation; blocks until it ends, and returns the exit code. Raises errors of opening a device."""
        try:
            with raising_deadly_signals():
                return self._hold()
        except Terminated as end:
            die_of(end.signum)
            raise

    def _hold(self) -> int:
        # It rests while the program starts. (Not frozen: extension modules complain at exit of what was never freed.)
        gc.enable()
        drivers = self._drivers
        self._source, self._sink = drivers.make_source(self.note), drivers.make_sink(self.note, self._pending_frames)
        self._transport, self._encoder = drivers.make_transport(self.note), drivers.make_encoder()
        with ExitStack() as stack:
            stack.callback(self._give_back)
            stack.callback(self._stop)
            drivers.view.open()
            try:
                self._start()
                for fact in drivers.first_facts:
                    self._tell(fact)
                while self._exit_code is None:
                    self._handle_next()
            except KeyboardInterrupt:
                self._wind_up()
            except RealtimeError as error:
                self._tell(f.Failed(error))
            except Terminated as end:
                self._tell(f.Quit(exit_code=SIGNAL_EXIT_CODE + end.signum))
                raise
        if self._unshown is not None:
            # There was no view left to show it.
            raise self._unshown
        return self._exit_code if self._exit_code is not None else INTERRUPTED_EXIT_CODE

    def post(self, fact: f.Fact) -> None:
        """Tell the conversation something. Any thread; returns at once."""
        self._inbox.put(fact)

    def note(self, text: str) -> None:
        """Tell the user something. Any thread; returns at once."""
        self.post(f.Noted(text))

    def _pending_frames(self) -> int:
        """Frames of the model's voice that can be played now. Any thread."""
        return self._player.playout.pending() if self._player else 0

    def _start(self) -> None:
        """Connect first: the handshake goes on while the audio libraries load and the devices open."""
        self._threads.start(VIEW, self._screen.run)
        if self._tools:
            self._threads.start("tools", self._tools.run, self._offered, self._stopping)
        self._threads.start("websocket", self._run_transport)
        with deferred():
            self._open_devices()
        for each in self._inputs:
            each.open()
            self._threads.start("input", each.run, self.post, self._stopping)

    def _open_devices(self) -> None:
        if self._sink:
            self._player = Player()
            self._mic.echo = echo = self._drivers.make_echo_control(self.note)
            self._sink.open()
            self._threads.start("playback", self._player.run)
            pull = overheard(self._player.playout.pull, echo) if echo else self._player.playout.pull
            self._threads.start("speaker", self._sink.run, pull, self._stopping)
        if self._source:
            self._source.open()

    def _stop(self) -> None:
        """Ask everything to end, then join under one deadline; what is still to be sent or shown goes out first."""
        self._stopping.set()
        self._mic.close()
        self._queue.close()
        if self._tools:
            self._tools.close()
        if self._player:
            self._player.close()
        self._screen.close()
        deadline = time.monotonic() + SHUTDOWN_S
        try:
            self._threads.join("sender", deadline)
            self._transport.close()
            for device in (self._source, self._sink):
                if device:
                    device.close()
            self._threads.join_all(deadline)
        except KeyboardInterrupt:
            # A second Ctrl-C: no more waiting; the keyboard and the view still give the terminal back.
            self._transport.close()

    def _wind_up(self) -> None:
        """Ctrl-C: let the core come to its end, which may wait for last words; a second Ctrl-C goes through."""
        self._tell(f.Quit(exit_code=INTERRUPTED_EXIT_CODE))
        while self._exit_code is None:
            self._handle_next()

    def _give_back(self) -> None:
        """Give the keyboard and the screen back, whatever comes: no Ctrl-C cuts into this."""
        with ignored(), ExitStack() as stack:
            stack.callback(self._close_view)
            for each in self._inputs:
                stack.callback(each.close)

    def _close_view(self) -> None:
        with suppress(BrokenPipeError):
            self._drivers.view.close()

    def _handle_next(self) -> None:
        """One round of the main thread: wait for a fact or for time to pass, and see to it."""
        now = time.monotonic()
        deadline = self._core.deadline
        wait = PROGRESS_S if self._core.audible else LONGEST_WAIT_S
        if deadline is not None:
            wait = min(wait, max(0.0, deadline - now))
        try:
            self._tell(self._inbox.get(timeout=wait))
        except Empty:
            self._tell_progress()
            if deadline is not None and time.monotonic() >= deadline:
                self._tell(f.Tick())

    def _tell_progress(self) -> None:
        if self._player and self._core.audible:
            for part in self._player.playout.progress():
                self._tell(f.Heard(part.item_id, part.content_index, part.heard_ms, part.finished))

    def _tell(self, fact: f.Fact) -> None:
        for effect in self._core.handle(fact, time.monotonic()):
            self._carry_out(effect)
        snapshot = self._core.snapshot()
        self._screen.update(snapshot)
        for each in self._inputs:
            each.see(snapshot)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._queue.put(effect.event)
            case Play() | EndOfAudio() if self._player:
                self._player.put(effect)
            case Flush():
                parts = self._player.playout.flush() if self._player else ()
                heard = (f.Heard(p.item_id, p.content_index, p.heard_ms, p.finished) for p in parts)
                self._tell(f.Flushed(tuple(heard)))
            case Mute():
                self._mic.muted = effect.on
            case Show(record=Ended()) if self._source or self._sink:
                self._show(self._audio_report())
                self._show(effect.record)
            case Show():
                self._show(effect.record)
            case Speak():
                self._encoder.dialect = effect.dialect
            case OpenMic():
                self._open_mic(cut=effect.cut)
            case CloseMic():
                self._tell(self._mic.close())
            case Feed():
                self._threads.start("feeder", partial(self._mic.feed, cut=effect.cut), effect.source, self._stopping)
            case RunTool():
                self._threads.start(_name_of(effect.call_id), self._run_tool, effect)
            case CancelTool() if self._tools:
                self._tools.cancel(effect.call_id)
                self._threads.forget(_name_of(effect.call_id))
            case End():
                self._exit_code = effect.exit_code

    def _show(self, record: Record) -> None:
        self._screen.put(record, time.monotonic() - self._began)

    def _audio_report(self) -> AudioReported:
        return AudioReported(
            underruns=self._player.playout.underruns if self._player else 0,
            underflows=self._sink.underflows if self._sink else 0,
            overflows=self._source.overflows if self._source else 0,
            dropped_blocks=self._queue.dropped_blocks,
        )

    def _open_mic(self, *, cut: bool) -> None:
        """Run the source until the microphone is closed; not before, lest a recording begins while nobody listens."""
        opened = self._mic.open(cut=cut)
        if self._source and opened:
            deliver, closed = opened
            self._threads.start("microphone", self._source.run, deliver, lambda: self.post(f.MicEnded()), closed)

    def _offered(self, offers: tuple[Offer, ...]) -> None:
        self.post(f.ToolsReady(offers))

    def _run_tool(self, effect: RunTool) -> None:
        if self._tools:
            outcome = self._tools.call(effect.call_id, effect.name, effect.arguments)
            self.post(f.ToolReturned(effect.call_id, outcome))

    def _run_transport(self) -> None:
        self._transport.run(self._connected, self._received)
        if not self._stopping.is_set():
            self.post(f.Failed(ConnectionFailed("the server closed the connection", "run the command again")))

    def _connected(self) -> None:
        self.post(f.Opened())
        self._threads.start("sender", self._queue.run, self._transport.send, self._encoder)

    def _received(self, text: str) -> None:
        try:
            self.post(from_wire(text, self._split))
        except NotAnEvent as error:
            self.post(f.Failed(error))

    def _ended_badly(self, name: str, error: Exception) -> None:
        if isinstance(error, BrokenPipeError):
            self.post(f.Quit(exit_code=0))
            return
        self._drivers.on_failure(error)
        failure = error if isinstance(error, RealtimeError) else InternalError(name, error)
        if name == VIEW:
            self._unshown = failure
        self.post(f.Failed(failure))


def _name_of(call_id: str) -> str:
    """The name of the thread that runs a function."""
    return f"call {call_id}"
