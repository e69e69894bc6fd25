"""A connected socket to a websocket server: name, address, proxy, TLS, all within one deadline.

websocket-client could connect by itself, but then without a default time limit, giving up when the first of several
addresses is silent (a broken IPv6 network), and without a way to stop it. So it is handed a connected socket.
"""

from __future__ import annotations

import base64
import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from realtime_cli.errors import ConnectionFailed
from realtime_cli.network import SOCKS, proxy_address, system_proxy, through_socks

_STOP_CHECK_S = 0.1
"""How often a wait looks whether it should stop; only ever while connecting."""

_PROXY_ANSWER_BYTES = 16_384
"""More than any proxy says to a CONNECT."""


class Cancelled(Exception):
    """Connecting was stopped on purpose."""


class Deadline(msgspec.Struct, frozen=True):
    """One deadline for all steps, on the clock of ``time.monotonic``, and the wish to stop."""

    at: float
    stopping: threading.Event

    @property
    def left_s(self) -> float:
        """Seconds left, at least a millisecond: for a socket, zero would mean something else."""
        return max(0.001, self.at - time.monotonic())

    def share(self, parts: int) -> Deadline:
        """The time that one of ``parts`` attempts may take."""
        return Deadline(time.monotonic() + self.left_s / parts, self.stopping)

    def wait(self, sock: socket.socket, event: int) -> None:
        """Block until ``sock`` is ready for ``event``. Raises TimeoutError or Cancelled."""
        with selectors.DefaultSelector() as selector:
            selector.register(sock, event)
            while not selector.select(min(_STOP_CHECK_S, self.left_s)):
                if self.stopping.is_set():
                    raise Cancelled
                if time.monotonic() >= self.at:
                    raise TimeoutError("timed out")


def dial(
    url: str, timeout_s: float, stopping: threading.Event, on_step: Callable[[str], None] = lambda _step: None
) -> socket.socket:
    """Connect to ``url`` (ws or wss), through the system's proxy if there is one for it.

    ``on_step`` is told of each step that is done: DNS, TCP, proxy, TLS. Blocks for ``timeout_s`` at most, plus the time
    the system takes to resolve the name. The socket that is returned has what is left of that time as its timeout.
    Raises ConnectionFailed, ConfigError for a proxy that cannot be used, and Cancelled when ``stopping`` is set
    meanwhile.
    """
    target = urlsplit(url)
    host, secure = target.hostname or "", target.scheme == "wss"
    port = target.port or (443 if secure else 80)
    deadline = Deadline(time.monotonic() + timeout_s, stopping)
    proxy = system_proxy(host, port, secure)
    if proxy is None:
        sock = _connect(host, port, deadline, on_step)
    else:
        sock = _connect(*proxy_address(proxy), deadline, on_step)
    try:
        if proxy is not None and proxy.scheme in SOCKS:
            sock.settimeout(deadline.left_s)
            through_socks(sock, proxy, host, port)
            sock.setblocking(False)
            on_step("proxy")
        elif proxy is not None:
            _tunnel(sock, host, port, proxy, deadline)
            on_step("proxy")
        if secure:
            sock = _encrypt(sock, host, deadline)
            on_step("TLS")
        sock.settimeout(deadline.left_s)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(host: str, port: int, deadline: Deadline, on_step: Callable[[str], None]) -> socket.socket:
    """Try the name's addresses one after the other, each for its share of the time."""
    try:
        # As bytes, which spares loading Python's tables of international names for a name that is not one.
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise ConnectionFailed(
            f"the name {host} is unknown", "check --base-url and the network", recoverable=True
        ) from None
    on_step("DNS")
    failure: OSError | None = None
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            _connect_to(sock, address, deadline.share(len(found) - tried))
        except OSError as error:
            sock.close()
            failure = error
        except Cancelled:
            sock.close()
            raise
        else:
            on_step("TCP")
            return sock
    if isinstance(failure, TimeoutError):
        raise ConnectionFailed(
            f"{host} port {port} does not answer", "check --base-url and the network", recoverable=True
        )
    why = "refuses the connection" if isinstance(failure, ConnectionRefusedError) else f"cannot be reached ({failure})"
    raise ConnectionFailed(f"{host} port {port} {why}", "is the server running? check --base-url", recoverable=True)


def _connect_to(sock: socket.socket, address: tuple[object, ...], deadline: Deadline) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        sock.connect(address)
    except BlockingIOError:
        deadline.wait(sock, selectors.EVENT_WRITE)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code)) from None


def _encrypt(sock: socket.socket, host: str, deadline: Deadline) -> ssl.SSLSocket:
    """TLS, the certificate and the host name verified against the system's authorities (or SSL_CERT_FILE)."""
    context = ssl.create_default_context()
    try:
        secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        _handshake(secured, deadline)
    except ssl.SSLCertVerificationError as error:
        raise ConnectionFailed(
            f"the certificate of {host} is not valid here ({error.verify_message})",
            "for an authority of your own set SSL_CERT_FILE",
        ) from None
    except TimeoutError:
        raise ConnectionFailed(
            f"{host} does not answer the TLS handshake", "check --base-url", recoverable=True
        ) from None
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or "no reason given"
        raise ConnectionFailed(
            f"{host} fails the TLS handshake ({why})",
            "does it speak TLS at all? if not, use ws:// or http://",
            recoverable=isinstance(error, ConnectionError | ssl.SSLEOFError),
        ) from None
    return secured


def _handshake(secured: ssl.SSLSocket, deadline: Deadline) -> None:
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                deadline.wait(secured, selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                deadline.wait(secured, selectors.EVENT_WRITE)
            else:
                return
    except BaseException:
        secured.close()
        raise


def _tunnel(sock: socket.socket, host: str, port: int, proxy: SplitResult, deadline: Deadline) -> None:
    """Have the proxy connect us through (RFC 9110, 9.3.6)."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.username:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode())  # a few hundred bytes always fit the fresh socket's buffer
    answer = _until_blank_line(sock, proxy, deadline)
    status = answer.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)[1:]
    if status[:1] != ["200"]:
        raise ConnectionFailed(
            f"the proxy {proxy.hostname} does not let us through to {authority} ({' '.join(status) or 'no status'})",
            "check https_proxy, or make an exception in no_proxy",
            recoverable=status[:1] == [] or status[0].startswith("5"),
        )


def _until_blank_line(sock: socket.socket, proxy: SplitResult, deadline: Deadline) -> bytes:
    answer = b""
    try:
        while b"\r\n\r\n" not in answer and len(answer) < _PROXY_ANSWER_BYTES:
            deadline.wait(sock, selectors.EVENT_READ)
            # One byte at a time: what follows the blank line is the server's and must stay in the socket.
            piece = sock.recv(1)
            if not piece:
                break
            answer += piece
    except OSError as error:
        raise ConnectionFailed(
            f"the proxy {proxy.hostname} does not answer ({error})", "check https_proxy", recoverable=True
        ) from None
    return answer
