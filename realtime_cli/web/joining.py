"""How this process takes part in a page's call: from the side, or, where a server lets nobody join, through the page.

From the side is better: it does not depend on the page. So it is tried first, and again whenever it was lost; once it
was refused, the page passes the voice server's messages on, both ways.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import msgspec

from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.ports import Note, Transport
from realtime_cli.server.socket.admission import NotAllowed
from realtime_cli.web.page_channel import PageChannel

OVER_S = 3.0
"""How long after the voice server ended the connection the page may tell that the call is over."""

NO_ID = "it names no call"

MakeSide = Callable[[], Transport]
"""Makes a connection that joins the call. Raises nothing; the connection raises ConnectionFailed."""


class Joining:
    """Makes a session's transports, one after the other."""

    def __init__(self, channel: PageChannel, make_side: MakeSide | None, tell: Callable[[str], None]) -> None:
        """``make_side`` is None where the call has no name; ``tell`` gets a line for the terminal. Any thread."""
        self._channel = channel
        self._make_side = make_side
        self._tell = tell
        if make_side is None:
            self._say_refused(NO_ID)

    def make(self, _note: Note) -> Transport:
        """The next one."""
        through_page = ThroughPage(self._channel)
        if self._make_side is None:
            return through_page
        return _Side(self._make_side(), through_page, self._channel, self.refused)

    def refused(self, problem: str) -> None:
        """The voice server lets nobody join. Any thread."""
        self._make_side = None
        self._say_refused(problem)

    def _say_refused(self, problem: str) -> None:
        text = f"the voice server cannot be joined from the side ({problem}): functions depend on the page staying open"
        self._channel.tell("notice", text=text)
        self._tell(text)


class ThroughPage:
    """The page's connection to the voice server, as a transport (:class:`realtime_cli.ports.Transport`)."""

    silent_s = 0.0

    def __init__(self, channel: PageChannel) -> None:
        self._channel = channel
        self._messages: SimpleQueue[str | None] = SimpleQueue()

    def run(self, on_open: Callable[[], None], on_message: Callable[[str], None]) -> None:
        """Have the page pass on what comes, from a little before now. Own thread; blocks until closed."""
        self._channel.receiver = self
        self._channel.tell("pass_on")
        on_open()
        while (message := self._messages.get()) is not None:
            on_message(message)

    def receive(self, message: str) -> None:
        """The page passes on a message. Any thread; returns at once."""
        self._messages.put(message)

    def send(self, text: str) -> None:
        """Have the page send a message."""
        self._channel.tell("send", message=text)

    def watch(self, *, urgent: bool, woke: bool = False) -> None:
        """Nothing: whether the page is there is seen by its channel."""

    def close(self) -> None:
        """Let :meth:`run` return."""
        self._messages.put(None)


class _Side:
    """A connection from the side, and through the page if that is refused."""

    def __init__(
        self,
        side: Transport,
        through_page: ThroughPage,
        channel: PageChannel,
        refused: Callable[[str], None],
    ) -> None:
        self._side = side
        self._through_page = through_page
        self._channel = channel
        self._refused = refused
        self._current: Transport = side
        self._closing = threading.Event()
        self._opened = self._welcome = False

    @property
    def silent_s(self) -> float:
        return self._current.silent_s

    def run(self, on_open: Callable[[], None], on_message: Callable[[str], None]) -> None:
        """Join, and hand over each message. Own thread. Raises ConnectionFailed, which is always worth another try."""

        def opened() -> None:
            self._opened = True
            on_open()

        def received(message: str) -> None:
            # A server may open the connection first, and refuse it by an error then.
            if not self._welcome and not _is_error(message):
                self._welcome = True
                # What happened before, since the call began or another connection was lost, the page knows.
                self._channel.tell("recent")
            if self._welcome and self._channel.is_new(message):
                on_message(message)

        try:
            self._side.run(opened, received)
        except RealtimeError as error:
            self._ended(error)
        except NotAllowed as refusal:
            self._ended(ConnectionFailed(refusal.message))
        else:
            self._ended(None)
        if not self._closing.is_set():
            self._current = self._through_page
            self._through_page.run(on_open, on_message)

    def send(self, text: str) -> None:
        try:
            self._current.send(text)
        except ConnectionFailed as error:
            raise ConnectionFailed(error.problem, recoverable=True) from error

    def watch(self, *, urgent: bool, woke: bool = False) -> None:
        self._current.watch(urgent=urgent, woke=woke)

    def close(self) -> None:
        self._closing.set()
        self._side.close()
        self._through_page.close()

    def _ended(self, error: RealtimeError | None) -> None:
        """Returns where nobody may join, or all is over. Raises ConnectionFailed for a connection that was lost."""
        if self._closing.is_set() and error is None:
            return
        problem = error.problem if error else "the voice server ended the connection"
        if not self._opened or (error and not self._welcome):
            self._refused(problem)
            if self._opened:
                raise ConnectionFailed(problem, recoverable=True)
            return
        lasting = not isinstance(error, ConnectionFailed) or not error.recoverable
        if lasting and self._closing.wait(OVER_S):
            return
        raise ConnectionFailed(problem, recoverable=True)


class _Typed(msgspec.Struct):
    type: str = ""


def _is_error(message: str) -> bool:
    try:
        return msgspec.json.decode(message, type=_Typed).type == "error"
    except (msgspec.MsgspecError, RecursionError):
        return False
