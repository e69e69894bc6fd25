"""One conversation from first to last thread.

The main thread owns the core: every other thread posts facts into the inbox, and none of them decides. What ends a
thread before its time becomes a fact, too.
"""

from __future__ import annotations

import gc
import threading
import time
from contextlib import ExitStack, nullcontext, suppress
from queue import Empty, SimpleQueue

from realtime_cli.audio.core.pcm import BLOCK_MS
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import Effect, End, Show
from realtime_cli.conversation.records import Ended, Phase, Record
from realtime_cli.errors import INTERRUPTED_EXIT_CODE, RealtimeError, in_words
from realtime_cli.ports import FileWriter, Journal, Recorder
from realtime_cli.session.clock import Clock
from realtime_cli.session.connection import FIRST_EPOCH, Connection
from realtime_cli.session.connections import Connections
from realtime_cli.session.devices import Devices
from realtime_cli.session.drivers import Drivers
from realtime_cli.session.effects import Effects
from realtime_cli.session.interrupts import Terminated, deferred, die_of, ignored, offered_to, raising_deadly_signals
from realtime_cli.session.microphone import Microphone
from realtime_cli.session.threads import Threads
from realtime_cli.session.workers import Screen

VIEW = "view"
"""Name of the view's thread."""

PROGRESS_S = 0.1
"""How often playback's progress is told while something is audible: a drawing, and half a syllable."""

LOOK_S = 0.1
"""How often it is looked whether the other threads have something to see to, however much happens."""

LONGEST_WAIT_S = 0.5
"""The longest uninterrupted wait: on Windows a wait without end cannot be interrupted by Ctrl-C."""

SIGNAL_EXIT_CODE = 128
"""What shells add to the number of the signal that ended a program."""

SHUTDOWN_S = 2.0
"""What all threads together get to end."""

LAST_WORDS_S = 1.0
"""How long what is still to be sent may take at the end."""

SLOW_NOTICE_BLOCKS = 1000 // BLOCK_MS
"""How many blocks of speech the network has to lose before the user is told; told again when they are twice as many."""


class Session:
    """See the module. ``run`` is called once, on the main thread."""

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._core = drivers.core
        self._inputs, self._tools = drivers.inputs, drivers.tools
        self._inbox: SimpleQueue[tuple[f.Fact, Connection | None, int]] = SimpleQueue()
        self._mic = Microphone(self.post)
        self._mic.meters = drivers.meters
        self._journal: Journal | None = None
        self._recorder: Recorder | None = None
        self._screen = Screen(drivers.view)
        self._stopping = threading.Event()
        self._threads = Threads(self._ended_badly)
        self._devices = Devices(drivers, self._mic, self._threads, self.post, self.note)
        self._connections = Connections(
            lambda: drivers.make_transport(self.note),
            drivers.make_encoder,
            self._threads,
            lambda connection, fact, size: self._inbox.put((fact, connection, size)),
            lambda: self._devices.undecoded,
        )
        self._effects = Effects(
            drivers, self._connections, self._devices, self._mic, self._threads, self.post, self._stopping
        )
        self._clock = Clock()
        self._look_at = 0.0
        self._tell_dropped_at = SLOW_NOTICE_BLOCKS
        self._exit_code: int | None = None
        self._unshown: RealtimeError | None = None
        self._began = time.monotonic()
        self._phase = Phase.CONNECTING
        self._stop_asked = False

    def run(self) -> int:
        """Hold the conversation; blocks until it ends, and returns the exit code. Raises errors of opening a device."""
        try:
            with raising_deadly_signals():
                return self._run()
        except Terminated as end:
            die_of(end.signum)
            raise

    def _run(self) -> int:
        # It rests while the program starts. (Not frozen: extension modules complain at exit of what was never freed.)
        gc.enable()
        drivers = self._drivers
        self._journal, self._recorder = drivers.make_journal(self.note), drivers.make_recorder(self.note)
        self._devices.make(self._recorder)
        with ExitStack() as stack:
            stack.callback(self._restore_terminal)
            stack.callback(self._stop)
            drivers.view.open()
            try:
                self._start()
                for fact in drivers.first_facts:
                    self._tell(fact)
                with offered_to(self._stop_reply) if drivers.interrupt_stops_reply else nullcontext():
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
        self._inbox.put((fact, None, 0))

    def note(self, text: str) -> None:
        """Tell the user something. Any thread; returns at once."""
        self.post(f.Noted(text))

    def _start(self) -> None:
        """Connect first: the handshake goes on while the audio libraries load and the devices open."""
        self._threads.start(VIEW, self._screen.run)
        for writer in self._file_writers():
            self._threads.start("file writer", writer.run)
        if self._tools:
            self._threads.start("tools", self._tools.run, lambda tools: self.post(f.ToolsReady(tools)), self._stopping)
        self._mic.attach(self._connections.connect(FIRST_EPOCH).queue)
        with deferred():
            self._devices.open()
        for each in self._inputs:
            each.open()
            self._threads.start("input", each.run, self.post, self._stopping)

    def _file_writers(self) -> list[FileWriter]:
        return [writer for writer in (self._journal, self._recorder, self._drivers.wire_log) if writer]

    def _stop(self) -> None:
        """Ask everything to end, then join under one deadline; what is still to be sent or shown goes out first."""
        self._stopping.set()
        self._devices.stop()
        current = self._connections.current
        if current:
            current.finish()
        if self._tools:
            self._tools.close()
        self._screen.close()
        for writer in self._file_writers():
            writer.close()
        deadline = time.monotonic() + SHUTDOWN_S
        try:
            if current:
                self._threads.join(current.names[1], time.monotonic() + LAST_WORDS_S)
            self._connections.close()
            if current and not current.opened:
                # It may be loading engines or resolving a name, which nothing can interrupt, and holds nothing of ours.
                self._threads.forget(current.names[0])
            self._devices.close()
            self._threads.join_all(deadline)
        except KeyboardInterrupt:
            # A second Ctrl-C: no more waiting; the keyboard and the view still give the terminal back.
            self._connections.close()

    def _stop_reply(self) -> bool:
        """Ctrl-C: let a reply that is under way be stopped rather than all, unless that was tried before."""
        if self._stop_asked or not self._phase.replying:
            return False
        self._stop_asked = True
        self.post(f.StopReply())
        return True

    def _wind_up(self) -> None:
        """Ctrl-C: let the core come to its end, which may wait for last words; a second Ctrl-C goes through."""
        self._tell(f.Quit(exit_code=INTERRUPTED_EXIT_CODE))
        while self._exit_code is None:
            self._handle_next()

    def _restore_terminal(self) -> None:
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
        deadline = self._core.deadline
        wait = PROGRESS_S if self._core.audible else LONGEST_WAIT_S
        if deadline is not None:
            wait = min(wait, max(0.0, deadline - self._clock.now()))
        try:
            fact, connection, size = self._inbox.get(timeout=wait)
        except Empty:
            self._check_health()
            self._tell_progress()
            if deadline is not None and self._clock.now() >= deadline:
                self._tell(f.Tick())
        else:
            self._check_health()
            self._take(fact, connection, size)

    def _check_health(self) -> None:
        """See whether this machine slept, the microphone and the server live, and the network takes what is said."""
        slept_s = self._clock.slept_s()
        if slept_s:
            self._mic.forget()
            self._tell(f.Slept(slept_s))
        elif self._clock.now() < self._look_at:
            return
        self._look_at = self._clock.now() + LOOK_S
        self._connections.watch(urgent=self._core.urgent, woke=slept_s > 0)
        if (changed := self._devices.state_changed()) is not None:
            self._tell(changed)
        dropped = self._connections.dropped_blocks
        if dropped >= self._tell_dropped_at:
            self._tell_dropped_at = 2 * dropped
            lost_s = dropped * BLOCK_MS // 1000
            self.note(f"the network is too slow: {lost_s} s of what was said were lost so far")

    def _take(self, fact: f.Fact, connection: Connection | None, size: int) -> None:
        """Tell the core a fact, unless it comes from a connection that counts no more."""
        if connection is not None:
            connection.seen(size)
            news = self._connections.news(connection, fact)
            if news is None:
                return
            fact = news
        if isinstance(fact, f.Lost) and connection is not None:
            self._connections.drop(connection.epoch)
            self._mic.detach()
            if not fact.error.recoverable:
                self._drivers.on_failure(fact.error)
        self._tell(fact)

    def _tell_progress(self) -> None:
        if self._core.audible:
            for heard in self._devices.progress():
                self._tell(heard)

    def _tell(self, fact: f.Fact) -> None:
        for effect in self._core.handle(fact, self._clock.now()):
            self._carry_out(effect)
        snapshot = self._core.snapshot()
        self._phase = snapshot.phase
        self._stop_asked = self._stop_asked and snapshot.phase.replying
        self._screen.update(snapshot)
        for each in self._inputs:
            each.see(snapshot)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Show():
                self._show(effect.record)
            case End():
                self._exit_code = effect.exit_code
            case _:
                answer = self._effects.carry_out(effect)
                if answer is not None:
                    self._tell(answer)

    def _show(self, record: Record) -> None:
        if isinstance(record, Ended) and self._devices.any:
            self._show(self._devices.report(self._connections.dropped_blocks))
        t = time.monotonic() - self._began
        self._screen.put(record, t)
        if self._journal:
            self._journal.put(record, t)

    def _ended_badly(self, name: str, error: Exception) -> None:
        if isinstance(error, BrokenPipeError):
            self.post(f.Quit(exit_code=0))
            return
        self._drivers.on_failure(error)
        failure = in_words(name, error)
        if name == VIEW:
            self._unshown = failure
        self.post(f.Failed(failure))
