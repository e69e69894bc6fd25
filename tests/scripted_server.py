"""A Realtime server that does what a script says: the one fake of the outside world in these tests.

A script is a function of a :class:`~tests.scripted_talk.Talk`, read from top to bottom, called once a connection::

    def greets_and_answers(talk: Talk) -> None:
        talk.greet()                                # session.created
        talk.obey_until("response.create")          # session.update is answered, items are added, ...
        talk.reply("Hello there.", audio_ms=400)    # response.created to response.done
        talk.obey_until_closed()

    with ScriptedServer(greets_and_answers) as server:
        ...                                         # connect to server.url
    assert server.types == ["session.update", ...]

:mod:`tests.scripts` has ready ones, also for servers that refuse, misbehave, or are none. Both directions are checked
against the official SDK's types; leaving the ``with`` block raises what was invalid, and what a script did not expect.

``python -m tests.scripted_server --port 0 --script text`` serves until it is interrupted, and prints its URL.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from tests.scripted_talk import ClientGone, Connected, Talk
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from tests.scripted_calls import Call, Provider


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a client asked to connect."""

    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Instead of a script: answer the handshake with an HTTP status."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Instead of a script: something on the bare socket, before any handshake. Returning closes the socket."""

    behave: Callable[[socket.socket, threading.Event], None]


Script = Callable[[Talk], None]
Accent = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""What a server sends in the place of an event."""


class ScriptedServer:
    """Serves one script on a free port of this machine while its ``with`` block lasts.

    ``beta``: speak the beta dialect. ``checked``: validate events against the SDK's types. ``accent``: how the events
    differ from those, once they are checked. ``provider``: take calls by WebRTC as well, each of which is held by the
    script (:mod:`tests.scripted_calls`). ``received`` holds the clients' events in order, ``handshakes`` how they
    connected, ``talks`` their connections.
    """

    def __init__(
        self,
        script: Script | HttpAnswer | Raw,
        *,
        beta: bool = False,
        checked: bool = True,
        accent: Accent | None = None,
        provider: Provider | None = None,
        port: int = 0,
    ) -> None:
        self._script = script
        # Slow to import, and not needed by benchmarks; before a client waits for the first event.
        self._checks = importlib.import_module("tests.schema_check") if checked else None
        self.accent = accent
        self._provider = provider
        self._port = port
        self._failures: list[BaseException] = []
        self._listener: Server | socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.beta = beta
        self.model = "gpt-4o-realtime-preview" if beta else "gpt-realtime-2.1"
        self.stopping = threading.Event()
        # Scripts run on threads of their own, a connection each.
        self._handling = threading.Condition()
        self._talking = 0
        self.received: list[dict[str, Any]] = []
        self.talks: list[Talk] = []
        self.handshakes: list[Handshake] = []
        self.url = ""

    @property
    def types(self) -> list[str]:
        """The types of the events received, microphone audio left out."""
        return [event["type"] for event in self.received if event["type"] != "input_audio_buffer.append"]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The received events of one type."""
        return [event for event in self.received if event["type"] == kind]

    def __enter__(self) -> ScriptedServer:
        if isinstance(self._script, Raw):
            listener = socket.create_server(("127.0.0.1", self._port))
            port, target = listener.getsockname()[1], self._serve_raw
            self._listener = listener
        else:
            server = serve(
                self._handle,
                "127.0.0.1",
                self._port,
                process_request=self._shake_hands,
                compression=None,
                max_size=None,
                ping_interval=None,
                open_timeout=PATIENCE_S,
            )
            if self._provider is not None:
                self._provider.on_call = self._take_call
                server.handler = self._answering_posts(server.handler, self._provider)
            port, target = server.socket.getsockname()[1], server.serve_forever
            self._listener = server
        self.url = f"ws://127.0.0.1:{port}/v1"
        self._thread = threading.Thread(target=target, name="scripted server")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stopping.set()
        if self._provider is not None:
            self._provider.close()
        if isinstance(self._listener, Server):
            self._listener.shutdown()
        elif self._listener is not None:
            with contextlib.suppress(OSError):  # some systems wake accept at close only, and refuse this
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        if self._thread is not None:
            self._thread.join()
        if isinstance(self._listener, Server) and sys.platform != "win32":
            # The library leaves them open, and a run of the tests has many servers.
            os.close(self._listener.shutdown_watcher)
            os.close(self._listener.shutdown_notifier)
        if kind is None:
            with self._handling:
                # A client that is gone has said its last words, which are still to be read.
                assert self._handling.wait_for(lambda: not self._talking, PATIENCE_S), "a client stays connected"
            if self._failures:
                raise self._failures[0]

    def vanish(self) -> None:
        """Be gone: every connection ends, and no further one is taken."""
        assert isinstance(self._listener, Server)
        self.stopping.set()
        self._listener.shutdown()
        for talk in self.talks:
            talk.close(1001)

    def check(self, side: str, event: dict[str, Any]) -> None:
        """Validate an event of the ``server`` or the ``client``."""
        if self._checks is not None:
            dialect = "beta_" if self.beta else ""
            getattr(self._checks, f"check_{dialect}{side}_event")(event)

    def _shake_hands(self, _connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        self.handshakes.append(Handshake(parts.path, parse_qs(parts.query), dict(request.headers.raw_items())))
        answer = self._script if isinstance(self._script, HttpAnswer) else None
        if self._provider is not None and "call_id" in self.handshakes[-1].query:
            self._provider.holds_sides.wait(PATIENCE_S)
            answer = self._provider.refuses_to_join(self.handshakes[-1].query["call_id"][0])
        if answer is None:
            return None
        body = answer.body.encode()
        headers = Headers({"Content-Length": str(len(body)), "Connection": "close", **answer.headers})
        return Response(answer.status, "Scripted", headers, body)

    def _answering_posts(self, handle: Callable[[socket.socket, Any], None], provider: Provider) -> Any:
        """What takes a client: websockets reads no requests but for a handshake."""
        from tests.scripted_calls import Poster  # aiortc: for tests of calls only

        def take(client: socket.socket, address: Any) -> None:
            if client.recv(4, socket.MSG_PEEK) != b"POST":
                handle(client, address)
                return
            with client:
                Poster(client, address, provider)  # type: ignore[arg-type]  # it asks its server for answers only

        return take

    def _take_call(self, call: Call) -> None:
        """Hold a call on a thread of its own, once the caller is there."""

        def hold() -> None:
            if call.wait_open(PATIENCE_S):
                self._hold(call)

        threading.Thread(target=hold, name=call.name).start()

    def _handle(self, connection: ServerConnection) -> None:
        named = parse_qs(urlsplit(connection.request.path).query).get("call_id")  # type: ignore[union-attr]
        if self._provider is not None and named:
            if self._provider.side_error:
                error = {"type": "invalid_request_error", "code": "invalid_value", "message": "Nobody may join."}
                connection.send(json.dumps({"type": "error", "event_id": "event_0", "error": error}))
                connection.close(4000)
                return
            self._provider.calls[named[0]].join(connection)
        else:
            self._hold(connection)

    def _hold(self, connection: Connected) -> None:
        assert not isinstance(self._script, HttpAnswer | Raw)
        with self._handling:
            self._talking += 1
        try:
            talk = Talk(self, connection, len(self.talks))
            self.talks.append(talk)
            self._script(talk)
        except ClientGone:
            return
        except Exception as failure:
            self._failures.append(failure)
            raise
        finally:
            with self._handling:
                self._talking -= 1
                self._handling.notify_all()

    def _serve_raw(self) -> None:
        assert isinstance(self._script, Raw)
        assert isinstance(self._listener, socket.socket)
        while not self.stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):  # the client is free to hang up
                self._script.behave(client, self.stopping)


def session_sent(server: ScriptedServer, number: int = -1) -> dict[str, Any]:
    """The body of a ``session.update``."""
    body: dict[str, Any] = server.of_type("session.update")[number]["session"]
    return body


def main() -> None:
    """Serve a ready script until interrupted."""
    from tests.scripts import READY

    parser = argparse.ArgumentParser(
        description="A scripted Realtime server, for benchmarks and for trying things out."
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", choices=sorted(READY), default="text")
    parser.add_argument("--beta", action="store_true", help="speak the beta dialect")
    chosen = parser.parse_args()
    with ScriptedServer(READY[chosen.script], beta=chosen.beta, checked=False, port=chosen.port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        try:
            server.stopping.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    from tests import scripted_server  # the module that the scripts import is another one than __main__

    scripted_server.main()
