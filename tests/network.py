"""A network between a client and a server of this machine, which a test can make stall, break and come back."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from urllib.parse import urlsplit

LOOK_S = 0.01
"""How often the network looks what the test wants of it."""


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of this machine where every connection is refused, and which nobody else can take meanwhile."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and does not listen
        yield int(unheard.getsockname()[1])


class Network:
    """Passes bytes between ``url`` and the server while its ``with`` block lasts; one thread."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._server = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self._peers: dict[socket.socket, socket.socket] = {}
        self._stalled: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._resetting = threading.Event()
        self._stalling = threading.Event()
        self._done = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="network")

    def reset(self) -> None:
        """Break every connection with a TCP reset."""
        self._ask(self._resetting)

    def stall(self) -> None:
        """Let every connection stay open, and nothing of it pass any more; further ones work."""
        self._ask(self._stalling)

    def __enter__(self) -> Network:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()

    def _ask(self, wish: threading.Event) -> None:
        with self._done:
            wish.set()
            self._done.wait_for(lambda: not wish.is_set())

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stopping.is_set():
                self._obey(selector)
                for key, _ in selector.select(LOOK_S):
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self._listener:
                        self._accept(selector)
                    elif sock in self._peers:
                        self._pass(selector, sock)
            for sock in list(self._peers):
                sock.close()

    def _obey(self, selector: selectors.BaseSelector) -> None:
        with self._done:
            if self._stalling.is_set():
                for sock in set(self._peers) - self._stalled:
                    selector.unregister(sock)
                self._stalled |= set(self._peers)
                self._stalling.clear()
            if self._resetting.is_set():
                for sock in list(self._peers):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._close(selector, sock)
                self._resetting.clear()
            self._done.notify_all()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._peers |= {client: server, server: client}
        for sock in (client, server):
            selector.register(sock, selectors.EVENT_READ)

    def _pass(self, selector: selectors.BaseSelector, sock: socket.socket) -> None:
        try:
            data = sock.recv(1 << 16)
            if data:
                self._peers[sock].sendall(data)
                return
        except OSError:
            pass
        peer = self._peers[sock]
        self._close(selector, sock)
        if peer in self._peers:
            self._close(selector, peer)

    def _close(self, selector: selectors.BaseSelector, sock: socket.socket) -> None:
        if sock not in self._stalled:
            with contextlib.suppress(KeyError):
                selector.unregister(sock)
        self._stalled.discard(sock)
        self._peers.pop(sock, None)
        sock.close()
