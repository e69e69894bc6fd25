"""The connections of one session: the current one, and one that may stand by to take its place. Main thread only."""

from __future__ import annotations

from collections.abc import Callable

from realtime_cli.conversation import facts as f
from realtime_cli.ports import Transport
from realtime_cli.session.connection import Connection
from realtime_cli.session.sending import Encoder
from realtime_cli.session.threads import Threads


class Connections:
    """Makes them, and knows which of them counts; what happens on any other is no news."""

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        make_encoder: Callable[[], Encoder],
        threads: Threads,
        post: Callable[[Connection, f.Fact, int], None],
        undecoded: Callable[[], int],
    ) -> None:
        """``post`` and ``undecoded`` as in :class:`Connection`."""
        self._make_transport = make_transport
        self._make_encoder = make_encoder
        self._threads = threads
        self._post = post
        self._undecoded = undecoded
        self.current: Connection | None = None
        self._standby: Connection | None = None
        self._dropped_before = 0

    @property
    def dropped_blocks(self) -> int:
        """Microphone blocks that were lost because the network was too slow, over all connections."""
        return self._dropped_before + (self.current.queue.dropped_blocks if self.current else 0)

    def connect(self, epoch: int, *, standby: bool = False) -> Connection:
        """Open a connection, in the place of the current one unless it is to stand by."""
        transport, encoder = self._make_transport(), self._make_encoder()
        opened = Connection(epoch, transport, encoder, self._threads, self._post, self._undecoded)
        if standby:
            self._close(self._standby)
            self._standby = opened
        else:
            self._replace_by(opened)
        opened.start()
        return opened

    def use(self, epoch: int) -> Connection | None:
        """Let the one that stands by take the place of the current one; None where there is no such one."""
        standby = self._standby
        if standby is None or standby.epoch != epoch:
            return None
        self._standby = None
        self._replace_by(standby)
        return standby

    def drop(self, epoch: int) -> bool:
        """Close a connection; nothing that happened on it is news any more. Whether it was the current one."""
        if self.current is not None and self.current.epoch == epoch:
            self._dropped_before = self.dropped_blocks
            self.current.close()
            self.current = None
            return True
        if self._standby is not None and self._standby.epoch == epoch:
            self._close(self._standby)
            self._standby = None
        return False

    def of(self, epoch: int | None) -> Connection | None:
        """The connection of this number, or the current one; None when that is gone."""
        if epoch is None:
            return self.current
        return next((each for each in (self.current, self._standby) if each and each.epoch == epoch), None)

    def news(self, connection: Connection, fact: f.Fact) -> f.Fact | None:
        """The fact as the core is told it; None when the connection counts no more."""
        if connection is self.current:
            return fact
        if connection is self._standby:
            return f.OnStandby(connection.epoch, fact)  # type: ignore[arg-type]  # a connection tells nothing else
        return None

    def watch(self, *, urgent: bool, woke: bool) -> None:
        """See whether the servers live."""
        for each in (self.current, self._standby):
            if each is not None:
                each.watch(urgent=urgent, woke=woke)

    def close(self) -> None:
        """Close all. Does not wait; may be called twice."""
        self._close(self.current)
        self._close(self._standby)

    def _replace_by(self, connection: Connection) -> None:
        self._dropped_before = self.dropped_blocks
        self._close(self.current)
        self.current = connection

    def _close(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
