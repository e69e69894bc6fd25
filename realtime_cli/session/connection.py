"""One connection to the server while it lasts: its transport, what waits to be sent over it, and its two threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from realtime_cli.conversation import facts as f
from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.client_events import ClientEvent
from realtime_cli.protocol.dialects import Dialect, NotAnEvent, from_wire
from realtime_cli.protocol.split_characters import SplitCharacters
from realtime_cli.session.sending import Encoder, SendQueue
from realtime_cli.session.threads import Threads

if TYPE_CHECKING:
    from realtime_cli.ports import Transport

FIRST_EPOCH = 1
"""The number of a session's first connection; the core asks for the others by numbers that it has not used."""

UNSEEN_CHARACTERS = 4 << 20
"""How much may have been received and not be seen to: then the socket is read no further until it is. Seconds of a
connection's full speed, and far more than a conversation ever has."""

READ_ON_S = 0.002
"""How often it is looked whether that was seen to; only ever in a burst."""


class Connection:
    """Known by ``epoch``. Made, watched and closed on the main thread."""

    def __init__(
        self,
        epoch: int,
        transport: Transport,
        encoder: Encoder,
        threads: Threads,
        post: Callable[[Connection, f.Fact, int], None],
        undecoded: Callable[[], int],
    ) -> None:
        """``post`` takes what happens, with the characters it came in, on a thread of this connection's own.

        ``undecoded``: how many characters of audio were seen to and wait to be decoded. Any thread.
        """
        self.epoch = epoch
        self.queue = SendQueue()
        self._transport = transport
        self._encoder = encoder
        self._post = post
        self._undecoded = undecoded
        self._split = SplitCharacters()
        self._threads = threads
        self._closed = threading.Event()
        # The thread that receives and the one that sends learn of the same loss, which is told once.
        self._telling = threading.Lock()
        self._told = False
        self.opened = False
        """Whether there was ever somebody at the other end."""
        self._received_characters = self._seen_characters = 0

    @property
    def names(self) -> tuple[str, str]:
        """The names of the threads that receive and send."""
        return (
            ("websocket", "sender")
            if self.epoch == FIRST_EPOCH
            else (f"websocket {self.epoch}", f"sender {self.epoch}")
        )

    def start(self) -> None:
        """Connect, on a thread of its own; what is put into the queue waits for that."""
        self._threads.start(self.names[0], self._receive)

    def send(self, event: ClientEvent) -> None:
        """Queue an event. Main thread."""
        self.queue.put(event)

    def speak(self, dialect: Dialect) -> None:
        """Put all that is queued from now on into another dialect. Main thread."""
        self._encoder.dialect = dialect

    def seen(self, characters: int) -> None:
        """What came in so many characters was seen to. Main thread."""
        self._seen_characters += characters

    def watch(self, *, urgent: bool, woke: bool) -> None:
        """See whether the server lives (:meth:`realtime_cli.ports.Transport.watch`)."""
        self._transport.watch(urgent=urgent, woke=woke)

    def finish(self) -> None:
        """Let the sender end once all is sent."""
        self.queue.close()

    def close(self) -> None:
        """End it, and tell nothing more of it. Does not wait; may be called twice."""
        self._closed.set()
        self.queue.abandon()
        self._transport.close()

    def _receive(self) -> None:
        try:
            self._transport.run(self._opened, self._received)
        except ConnectionFailed as error:
            self._lose(error)
        else:
            self._lose(ConnectionFailed("the server closed the connection", "run the command again"))

    def _opened(self) -> None:
        self.opened = True
        self._post(self, f.Opened(time.time()), 0)
        self._threads.start(self.names[1], self._send)

    def _send(self) -> None:
        try:
            self.queue.run(self._transport.send, self._encoder)
        except ConnectionFailed as error:
            self._lose(error)

    def _received(self, text: str) -> None:
        while self._received_characters - self._seen_characters + self._undecoded() > UNSEEN_CHARACTERS:
            if self._closed.wait(READ_ON_S):
                return
        self._received_characters += len(text)
        try:
            self._post(self, from_wire(text, self._split), len(text))
        except NotAnEvent as error:
            self._lose(error)

    def _lose(self, error: ConnectionFailed) -> None:
        with self._telling:
            if self._told or self._closed.is_set():
                return
            self._told = True
        silent_s = self._transport.silent_s
        self.queue.abandon()
        self._post(self, f.Lost(error, silent_s), 0)
