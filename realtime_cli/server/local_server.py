"""The local voice server: the engines that all connections share.

What carries the messages does not matter: a connection takes text with ``receive`` and gives text to ``deliver``.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from realtime_cli.server.connection import Connection, Ending
from realtime_cli.server.core.core import ServerCore, SessionPlan
from realtime_cli.server.sharing import SharedEngines

if TYPE_CHECKING:
    from realtime_cli.server.engines.choice import EngineChoice
    from realtime_cli.server.engines.loading import Engines

CLOSING_S = 3.0
"""How long closing waits for the engines' running calls, all together."""


class LocalServer:
    """Owns the engines, which all connections share; every connection has threads of its own."""

    def __init__(self, engines: Engines) -> None:
        self.engines = SharedEngines(engines)
        # Connections come and go on threads of their callers' and on their own.
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()

    def connect(
        self,
        deliver: Callable[[str], None],
        ended: Callable[[Ending], None],
        plan: SessionPlan,
    ) -> Connection:
        """A new connection; its first message to ``deliver`` is ``session.created``. Any thread; does not block.

        Both callbacks are called on the connection's own thread and must not raise. ``deliver`` takes one JSON text and
        may block. ``ended`` is called once and last. ``plan``'s settings must have been checked.
        """

        def gone(ending: Ending) -> None:
            with self._lock:
                self._connections.discard(connection)
            ended(ending)

        connection = Connection(ServerCore(new_id, plan), self.engines, deliver, gone)
        with self._lock:
            self._connections.add(connection)
        connection.start()
        return connection

    def close(self, within_s: float = CLOSING_S) -> None:
        """End all connections and the engines. Blocks for about ``within_s``; any other thread."""
        deadline = time.monotonic() + within_s
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:
            connection.close()
        for connection in connections:
            connection.join(max(0.0, deadline - time.monotonic()))
        # A running call of an engine's library cannot be hurried, and may take longer than anybody wants to wait.
        closing = threading.Thread(target=self.engines.close, name="close-engines", daemon=True)
        closing.start()
        closing.join(max(0.0, deadline - time.monotonic()))


def load_server(
    on_notice: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
    *,
    choice: EngineChoice | None = None,
    speech: bool = True,
    replies: bool = True,
) -> LocalServer:
    """A server with the engines chosen (None: the bundled ones), loaded and warm.

    Those of speech only if ``speech``, else on demand, and those that make replies only if ``replies``.

    Blocks for about 2 s. ``on_notice`` gets lines for the user on a loading thread. Raises ConfigError when a part is
    missing or broken, and CancelledError soon after ``stopped()`` is true.
    """
    from realtime_cli.server.engines.loading import BUNDLED, load_engines

    engines = load_engines(on_notice, choice=choice or BUNDLED, speech=speech, replies=replies)
    wanted: tuple[tuple[bool, Callable[[], object]], ...] = (
        (replies, lambda: engines.lm),
        (speech, lambda: engines.stt),
        (speech, engines.voice_activity),
        (speech and replies, lambda: engines.tts),
    )
    try:
        for load in (load for is_wanted, load in wanted if is_wanted):
            load()
            _check_wanted(stopped)
    except BaseException:
        # What is being loaded holds nothing of the user's: nobody waits for it.
        LocalServer(engines).close(0.0)
        raise
    return LocalServer(engines)


def _check_wanted(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise CancelledError


def new_id(prefix: str) -> str:
    """A fresh id in the remote service's manner: ``item_`` and 20 random characters."""
    return f"{prefix}_{secrets.token_hex(10)}"
