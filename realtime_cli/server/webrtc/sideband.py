"""A second client of a call, which joins it from the side: it gets the call's events and may send its own, while the
sound stays with the caller (https://platform.openai.com/docs/guides/realtime-server-controls).

Over a socket this is ``/v1/realtime?call_id=…``. In the process that answers the call it needs none::

    server = calls.joining(call_id)                     # a VoiceServer; raises NotAllowed for a call that is not there
    LoopbackTransport(lambda _on_notice, _stopped: server, on_notice)

What it gets is what the caller's data channel gets, in the same order: ``session.created`` first, with the session as
it is by then, then all events but the sound's, and errors, whoever caused them. It may send every event of a client;
sound (``input_audio_buffer.append``) is refused. It leaves without a consequence for the call, and the end of the call
is its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from realtime_cli.server.connection import Ending
from realtime_cli.server.socket.admission import BUSY_CODE, WRONG_REQUEST_CODE, NotAllowed

MOST_SIDEBANDS = 4
"""Of a call."""

MOST_UNTAKEN = 32 * 1024 * 1024
"""Characters of events that wait for a client; more than the largest event, and hours of what a call has without its
sound. One that leaves more has stalled."""

TOO_SLOW = Ending(BUSY_CODE, "the events of the call were not taken")
"""Close code "try again later" (https://www.iana.org/assignments/websocket): it may join again."""


class Joined(Protocol):
    """What a sideband has joined: the call."""

    def from_side(self, message: str) -> None:
        """Obey a message from the side; blocks while too many wait. Any thread but the call's."""

    def binary_from_side(self) -> None:
        """The side sent what is no text. Any thread but the call's."""


class Sideband:
    """The call's end of it. It delivers on a thread of its own, so that a slow client delays nobody."""

    def __init__(self, call: Joined, deliver: Callable[[str], None], ended: Callable[[Ending], None]) -> None:
        """``deliver`` takes one JSON text and may block. ``ended`` is called once, on any thread, and must not block;
        no delivery begins after it. Neither may raise. The thread begins at once."""
        self._call = call
        self._deliver = deliver
        self._ended = ended
        # The call's thread gives, the own one takes, and anybody may end it.
        self._changed = threading.Condition()
        self._untaken: deque[str] = deque()
        self._characters = 0
        self._begun = False
        self._ending: Ending | None = None
        self._told = False
        threading.Thread(target=self._run, name="sideband", daemon=True).start()

    def receive(self, text: str) -> None:
        """Take one message from the client; blocks while too many wait. Any thread; after the end it is dropped."""
        if self._ending is None:
            self._call.from_side(text)

    def receive_binary(self) -> None:
        """The client sent what is no text. Any thread."""
        if self._ending is None:
            self._call.binary_from_side()

    def close(self) -> None:
        """The client leaves; the call goes on. Any thread; does not wait; may be called twice."""
        with self._changed:
            self._untaken.clear()
        self.end(Ending())

    def begin(self, first: str | None) -> None:
        """From now on it gets events, after this first one. The call's thread."""
        self._begun = True
        if first is not None:
            self.put(first)

    def put(self, text: str) -> None:
        """An event for the client. The call's thread; does not block."""
        with self._changed:
            if not self._begun or self._ending is not None:
                return
            stalled = self._characters > MOST_UNTAKEN
            if stalled:
                self._untaken.clear()
            else:
                self._untaken.append(text)
                self._characters += len(text)
            self._changed.notify()
        if stalled:
            # Its thread may be held up by the client.
            self._tell(TOO_SLOW)

    def end(self, ending: Ending) -> None:
        """Deliver what it was given before, then be over. Any thread; does not block; only the first one counts."""
        with self._changed:
            self._ending = self._ending or ending
            self._changed.notify()

    def _run(self) -> None:
        while (text := self._next()) is not None:
            self._deliver(text)
        self._tell(self._ending or Ending())

    def _next(self) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._untaken or self._ending is not None)
            if not self._untaken:
                return None
            text = self._untaken.popleft()
            self._characters -= len(text)
            return text

    def _tell(self, ending: Ending) -> None:
        with self._changed:
            told, self._told = self._told, True
            self._ending = self._ending or ending
            self._changed.notify()
        if not told:
            self._ended(ending)


class Sidebands:
    """All of one call."""

    def __init__(self, call: Joined) -> None:
        self._call = call
        # Clients join and leave on threads of their own.
        self._lock = threading.Lock()
        self._joined: tuple[Sideband, ...] = ()
        self._over = False

    def join(self, deliver: Callable[[str], None], ended: Callable[[Ending], None]) -> Sideband:
        """One more, which has not begun. Any thread. Raises NotAllowed when there are too many, or the call is over."""

        def left(ending: Ending) -> None:
            with self._lock:
                self._joined = tuple(each for each in self._joined if each is not sideband)
            ended(ending)

        with self._lock:
            if self._over:
                raise no_such_call()
            if len(self._joined) >= MOST_SIDEBANDS:
                message = f"{MOST_SIDEBANDS} clients have joined this call already."
                raise NotAllowed(503, BUSY_CODE, "sideband_limit_reached", message)
            sideband = Sideband(self._call, deliver, left)
            self._joined += (sideband,)
        return sideband

    def put(self, text: str) -> None:
        """An event for all of them. The call's thread; does not block."""
        for sideband in self._joined:
            sideband.put(text)

    def end(self, ending: Ending) -> None:
        """The call is over. Does not block."""
        with self._lock:
            self._over = True
            joined = self._joined
        for sideband in joined:
            sideband.end(ending)


def no_such_call() -> NotAllowed:
    """As the remote service answers (https://github.com/openai/codex/issues/35094), before it is a WebSocket."""
    return NotAllowed(404, WRONG_REQUEST_CODE, "call_id_not_found", "No session found for the provided call_id.")
