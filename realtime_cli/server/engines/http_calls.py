"""Calls of engines that are servers of their own: one POST whose answer is read as it comes, and can be given up.

The waiting is done on a thread of the call's own, so that whoever wants the answer is free within 50 ms of not wanting
it any more: the connection is closed under the waiting thread, which also tells the server to stop its work.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from realtime_cli.errors import ConfigError, TurnError
from realtime_cli.providers.endpoint import is_private

CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 60.0
"""How long a server may say nothing: a large model reads a long conversation for half a minute on a processor."""

LOOK_S = 0.05
"""How often a wait looks whether it is still wanted."""

CHUNK_BYTES = 16_384
MOST_ERROR_BYTES = 65_536
MOST_TOLD = 300
"""Letters of a server's own explanation that are passed on."""

Cancelled = Callable[[], bool]


def never() -> bool:
    """An answer that is wanted to its end."""
    return False


class Refused(TurnError):
    """The server answered with an HTTP error; ``status`` is its code, ``reason`` what it said itself."""

    def __init__(self, status: int, reason: str, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.status = status
        self.reason = reason


class Service(msgspec.Struct, frozen=True):
    """A server that does the work of an engine."""

    what: str
    """For messages: "the language model"."""
    url: str
    """Its base address, as :func:`base_url` makes it."""
    key: str = ""
    key_variable: str = ""
    """Where the key is or would be, for messages."""
    silence_timeout_s: float = SILENCE_TIMEOUT_S

    @property
    def place(self) -> str:
        """The service by name and host, for messages."""
        return f"{self.what} at {urlsplit(self.url).netloc}"

    def call(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json", cancelled: Cancelled = never
    ) -> Iterator[bytes]:
        """The answer's body, piece by piece as it comes. Blocks between pieces; ends soon after ``cancelled()``.

        Raises :class:`Refused` for an HTTP error and :class:`TurnError` for a server that cannot be reached, is silent
        for too long, or breaks off. A redirection is such an error: what is sent is meant for this server.
        """
        call = _Call(self, method, path, body, kind)
        try:
            yield from call.pieces(cancelled)
        finally:
            call.close()

    def headers(self, kind: str) -> Mapping[str, str]:
        """What every request carries."""
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"Content-Type": kind, "User-Agent": "realtime-cli", **key}

    def fault(self, error: Exception) -> TurnError:
        """What went wrong with the connection, in the user's words."""
        if isinstance(error, ssl.SSLError | urllib3.exceptions.SSLError):
            return TurnError(f"{self.place} has a certificate that cannot be verified ({error})")
        if isinstance(error, urllib3.exceptions.NewConnectionError | ConnectionRefusedError | socket.gaierror):
            return TurnError(f"{self.place} cannot be reached", "start it, or check the address")
        if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
            return TurnError(f"{self.place} does not answer", "see whether it is running, or busy")
        return TurnError(f"{self.place} broke off in the middle of its answer")

    def refused(self, status: int, body: bytes) -> Refused:
        """An HTTP error as one line."""
        reason = _reason(body)
        said = f" ({reason})" if reason else ""
        problem = f"{self.place} answered {status}{said}"
        return Refused(status, reason, problem, self._remedy(status))

    def _remedy(self, status: int) -> str:
        if status in (401, 403):
            return f"check its key in {self.key_variable}" if self.key else f"put its key into {self.key_variable}"
        if status == 404:
            return "check the address, and the model's name"
        if status == 429:
            return "it has too much to do: wait a little and say it again"
        if 300 <= status < 400:
            return "name the address that it sends to"
        return ""


def base_url(text: str, ending: str, key: str, what: str) -> str:
    """The base address in what the user gave: with or without ``http://``, ``/v1``, or the path that is called.

    ``ending`` is that path. Raises :class:`ConfigError` for what is no such address, or would carry the ``key``
    unencrypted over a network.
    """
    full = text if "://" in text else f"http://{text}"
    parts = urlsplit(full)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ConfigError(f"{text} is no address of {what}", "it looks like http://localhost:11434/v1")
    if key and not is_private(full):
        raise ConfigError(f"the key of {what} would cross the network unencrypted to {parts.netloc}", "use https://")
    path = parts.path.rstrip("/").removesuffix(ending).rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


class _Call:
    """One request on a thread of its own."""

    def __init__(self, service: Service, method: str, path: str, body: bytes, kind: str) -> None:
        self._service = service
        self._connection = _connection(service)
        self._news: SimpleQueue[bytes | TurnError | None] = SimpleQueue()
        self._closed = threading.Event()
        self._sock: socket.socket | None = None
        run = threading.Thread(target=self._run, args=(method, path, body, kind), name="engine-call", daemon=True)
        run.start()

    def pieces(self, cancelled: Cancelled) -> Iterator[bytes]:
        while not cancelled():
            try:
                news = self._news.get(timeout=LOOK_S)
            except Empty:
                continue
            if news is None:
                return
            if isinstance(news, TurnError):
                raise news
            yield news

    def close(self) -> None:
        """End the call, whatever it waits for; a connection that is just being made ends by itself."""
        self._closed.set()
        if self._sock is not None:
            # A close alone would leave the waiting thread waiting.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def _run(self, method: str, path: str, body: bytes, kind: str) -> None:
        try:
            self._connection.connect()
            # The connection forgets its socket when the answer begins and the server will not take another request.
            self._sock = self._connection.sock
            if self._closed.is_set():
                return
            self._connection.timeout = self._service.silence_timeout_s
            self._exchange(method, path, body, kind)
        except TurnError as error:
            self._news.put(error)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._news.put(self._service.fault(error))
        finally:
            self._connection.close()
            self._news.put(None)

    def _exchange(self, method: str, path: str, body: bytes, kind: str) -> None:
        target = _target(self._connection, self._service.url + path)
        self._connection.request(
            method, target, body=body or None, headers=self._service.headers(kind), preload_content=False
        )
        response = self._connection.getresponse()
        if response.status != 200:
            raise self._service.refused(response.status, response.read(MOST_ERROR_BYTES))
        while piece := response.read1(CHUNK_BYTES):
            self._news.put(piece)


def _connection(service: Service) -> HTTPConnection:
    """A connection that is not made yet, through the system's proxy if there is one."""
    parts = urlsplit(service.url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    local = not secure and is_private(service.url)
    proxy = None if local or proxy_bypass(host) else getproxies().get(parts.scheme)
    hop = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else parts
    kind = HTTPSConnection if secure else HTTPConnection
    connection = kind(hop.hostname or host, hop.port, timeout=CONNECT_TIMEOUT_S)
    if proxy and secure:
        connection.set_tunnel(host, parts.port or 443)
    return connection


def _target(connection: HTTPConnection, url: str) -> str:
    """What the request line names: the path, or for a proxy without a tunnel the whole address."""
    parts = urlsplit(url)
    through_proxy = parts.scheme == "http" and connection.host != parts.hostname
    return url if through_proxy else parts.path


def _reason(body: bytes) -> str:
    """What a server says of its own error, in the shapes that are in use: OpenAI's, Ollama's, FastAPI's, plain text."""
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode("utf-8", "replace")
        return "" if "<" in text else " ".join(text.split())[:MOST_TOLD]
    if isinstance(answer, dict):
        error = answer.get("error") or answer.get("detail") or answer.get("message") or ""
        answer = error.get("message", "") if isinstance(error, dict) else error
    return " ".join(str(answer).split())[:MOST_TOLD]
