"""Connecting: addresses, deadlines, proxies, certificates, and servers that are none."""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.sync.server import serve

from realtime_cli.errors import ConfigError, ConnectionFailed
from realtime_cli.network import http_pool, system_proxy
from realtime_cli.transport.websocket import WebSocketTransport
from tests import scripts
from tests.minting import minting
from tests.network import closed_port
from tests.scripted_server import HttpAnswer, Raw, ScriptedServer
from tests.waiting import PATIENCE_S
from tests.wire_client import KEY, Client, connected, failure_of, full_queue, reach


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            scripts.http_status(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"),
            "refuses the key (HTTP 401)",
        ),
        (scripts.http_status(403, "", "No access for you"), "refuses access (HTTP 403, No access for you)"),
        (scripts.http_status(404), "has no Realtime endpoint here"),
        (scripts.http_status(429, "insufficient_quota", f"Quota of {KEY} is used up"), "add credit"),
        (scripts.http_status(429), "too many requests"),
        (scripts.http_status(500), "fails (HTTP 500): try again"),
        (scripts.http_status(200), "does not open a session (HTTP 200)"),
    ],
)
def test_each_http_status_in_answer_to_the_handshake_has_its_line(answer: HttpAnswer, said: str) -> None:
    assert said in failure_of(answer)


@pytest.mark.parametrize(
    ("behaviour", "timeout_s", "said"),
    [
        (scripts.never_shakes_hands, 0.5, "took the connection but does not answer"),
        (scripts.not_http, PATIENCE_S, "is no websocket server"),
        (scripts.hangs_up, PATIENCE_S, "closes the connection at once"),
    ],
)
def test_what_is_no_websocket_server_is_said_so(behaviour: Raw, timeout_s: float, said: str) -> None:
    assert said in failure_of(behaviour, connect_timeout_s=timeout_s)


def test_a_redirect_is_not_followed_because_the_key_would_go_with_it() -> None:
    with ScriptedServer(scripts.text_turns()) as elsewhere:
        assert "redirects elsewhere" in failure_of(scripts.redirect(elsewhere.url))
    assert elsewhere.handshakes == []


def test_a_port_where_nobody_listens_is_refused() -> None:
    with (
        closed_port() as port,
        pytest.raises(ConnectionFailed, match=f"127.0.0.1 port {port} refuses the connection: is the server running"),
    ):
        WebSocketTransport(reach(f"ws://127.0.0.1:{port}")).run(lambda: None, lambda _: None)


def test_a_name_that_nobody_knows_is_said_so() -> None:
    for host in ("no-such-host.invalid", f"{'x' * 64}.com"):
        with pytest.raises(ConnectionFailed, match=f"the name {host} is unknown"):
            WebSocketTransport(reach(f"wss://{host}")).run(lambda: None, lambda _: None)


def test_a_host_that_answers_nothing_is_given_up_after_the_connect_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        full_queue(listener) as url,
        pytest.raises(ConnectionFailed, match="does not answer: check --base-url"),
    ):
        WebSocketTransport(reach(url), connect_timeout_s=0.3).run(lambda: None, lambda _: None)


def test_the_second_address_is_tried_when_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        full_queue(listener),
        ScriptedServer(scripts.text_turns()) as server,
    ):
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        # Each address has its share of the time: a hundredth for the silent one, and what is left for the next.
        places = [listener.getsockname()[1], *[port] * 99]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", place)) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connected("ws://two-addresses.test:80", connect_timeout_s=50.0) as client:
            client.wait_for(1)


def test_an_http_proxy_from_the_environment_is_asked_to_connect_us(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(scripts.text_turns()) as server, proxy_to(server.url) as (port, asked):
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with connected("ws://realtime.test:81/v1") as client:
            client.wait_for(1)
    request = asked[0].decode()
    assert request.startswith("CONNECT realtime.test:81 HTTP/1.1\r\n")
    assert base64.b64encode(b"user:p@ss").decode() in request
    assert KEY not in request


def test_a_proxy_that_refuses_is_told_apart_from_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(client: socket.socket, _: threading.Event) -> None:
        client.recv(4096)
        client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with ScriptedServer(Raw(refuses)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url.replace("ws://", "http://"))
        with pytest.raises(ConnectionFailed, match=r"does not let us through to realtime.test:80 \(403 Forbidden\)"):
            WebSocketTransport(reach("ws://realtime.test")).run(lambda: None, lambda _: None)


def test_a_proxy_is_never_used_for_this_machine_and_not_for_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with ScriptedServer(scripts.text_turns()) as server, connected(server.url) as client:
        client.wait_for(1)
    monkeypatch.setenv("no_proxy", "excepted.invalid")
    with pytest.raises(ConnectionFailed, match=r"the name excepted.invalid is unknown"):
        WebSocketTransport(reach("ws://excepted.invalid")).run(lambda: None, lambda _: None)


@pytest.mark.parametrize("host", ["127.0.0.2", "0.0.0.0", "box.localhost"])
def test_every_name_of_this_machine_is_reached_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert system_proxy(host, 80, secure=False) is None
    assert system_proxy("192.0.2.1", 80, secure=False) is not None


def test_a_proxy_of_a_kind_we_cannot_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("ALL_PROXY", "ftp://127.0.0.1:1080")
    with pytest.raises(ConfigError, match="the proxy in ALL_PROXY cannot be used: only http://host:port and socks5"):
        WebSocketTransport(reach("ws://realtime.test")).run(lambda: None, lambda _: None)


@pytest.mark.parametrize(("scheme", "login"), [("socks5", ""), ("socks5h", "user:p%40ss@")])
def test_a_socks_proxy_is_asked_to_connect_us_by_name(monkeypatch: pytest.MonkeyPatch, scheme: str, login: str) -> None:
    with ScriptedServer(scripts.text_turns()) as server, socks_to(server.url, login=bool(login)) as (port, asked):
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{login}127.0.0.1:{port}")
        with connected("ws://realtime.test:81/v1") as client:
            client.wait_for(1)
    assert asked[-1] == ("realtime.test", 81)
    assert asked[:-1] == ([("user", "p@ss")] if login else [])


def test_an_http_request_takes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with minting() as mint, socks_to(mint.url) as (port, asked):
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("all_proxy", f"socks5://127.0.0.1:{port}")
        with http_pool("http://realtime.test:81/") as pool:
            answer = pool.request("POST", "http://realtime.test:81/v1/x", body=b'{"session": {"type": "realtime"}}')
    assert (answer.status, asked) == (200, [("realtime.test", 81)])


def test_a_socks_proxy_that_refuses_is_told_apart_from_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(client: socket.socket, _: threading.Event) -> None:
        client.recv(3)
        client.sendall(b"\x05\x00")
        client.recv(4096)
        client.sendall(b"\x05\x02\x00\x01" + bytes(6))

    with ScriptedServer(Raw(refuses)) as proxy:
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("all_proxy", proxy.url.replace("ws://", "socks5://").removesuffix("/v1"))
        with pytest.raises(ConnectionFailed, match=r"does not let us through to realtime.test:80 \(.*not allowed"):
            WebSocketTransport(reach("ws://realtime.test")).run(lambda: None, lambda _: None)


def test_a_socks_proxy_without_its_package_names_variable_and_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
    monkeypatch.setattr("realtime_cli.network.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"all_proxy names a SOCKS proxy.*realtime-voice-cli\[socks\]"):
        WebSocketTransport(reach("ws://realtime.test")).run(lambda: None, lambda _: None)


def test_a_certificate_is_verified_and_one_of_ones_own_authority_can_be_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = serve(lambda talk: talk.send('{"type":"x"}'), "127.0.0.1", 0, ssl=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"wss://localhost:{server.socket.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match="the certificate of localhost is not valid here"):
            WebSocketTransport(reach(url)).run(lambda: None, lambda _: None)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with connected(url) as client:
            client.wait_for(1)
    finally:
        server.shutdown()
        thread.join()


def test_tls_with_a_server_that_speaks_none_is_said_so() -> None:
    with (
        ScriptedServer(scripts.not_http) as server,
        pytest.raises(ConnectionFailed, match="fails the TLS handshake"),
    ):
        WebSocketTransport(reach(server.url.replace("ws://", "wss://"))).run(lambda: None, lambda _: None)


def test_close_ends_a_handshake_that_is_never_answered() -> None:
    accepted = threading.Event()

    def takes_and_waits(client: socket.socket, stopping: threading.Event) -> None:
        client.recv(1)
        accepted.set()
        stopping.wait()

    with ScriptedServer(Raw(takes_and_waits)) as server:
        client = Client(server.url)
        assert accepted.wait(PATIENCE_S)
        client.close()
    assert client.error is None


def test_close_ends_a_tcp_connect_that_is_never_answered() -> None:
    # A listener whose queue is full answers no further SYN, as a firewall would.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, full_queue(listener) as url:
        client = Client(url)
        client.close()
    assert client.error is None
    assert not client.opened.is_set()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, until either side has gone."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def join(client: socket.socket, server: socket.socket) -> None:
    """Pass on what either says to the other, until both are done."""
    upstream = threading.Thread(target=pump, args=(client, server))
    upstream.start()
    pump(server, client)
    upstream.join()


@contextmanager
def proxy_to(url: str) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that connects one client through to ``url`` whatever it asks for, and keeps what it asked."""
    asked: list[bytes] = []
    target = url.removeprefix("ws://").partition("/")[0].split(":")

    def behave(client: socket.socket, _stopping: threading.Event) -> None:
        asked.append(client.recv(4096))
        with socket.create_connection((target[0], int(target[1]))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            join(client, server)

    with ScriptedServer(Raw(behave)) as proxy:
        yield int(proxy.url.rpartition(":")[2].partition("/")[0]), asked


@contextmanager
def socks_to(url: str, *, login: bool = False) -> Iterator[tuple[int, list[tuple[str, str | int]]]]:
    """A SOCKS5 proxy (RFC 1928, 1929) that connects one client through to ``url``, and keeps what it was asked."""
    asked: list[tuple[str, str | int]] = []
    host, _, port = urlsplit(url).netloc.partition(":")

    def exactly(client: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += client.recv(size - len(data))
        return data

    def behave(client: socket.socket, _stopping: threading.Event) -> None:
        exactly(client, exactly(client, 2)[1])
        client.sendall(b"\x05\x02" if login else b"\x05\x00")
        if login:
            name = exactly(client, exactly(client, 2)[1]).decode()
            asked.append((name, exactly(client, exactly(client, 1)[0]).decode()))
            client.sendall(b"\x01\x00")
        assert exactly(client, 4) == b"\x05\x01\x00\x03"
        name = exactly(client, exactly(client, 1)[0]).decode()
        asked.append((name, int.from_bytes(exactly(client, 2), "big")))
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            join(client, server)

    with ScriptedServer(Raw(behave)) as proxy:
        yield int(proxy.url.rpartition(":")[2].partition("/")[0]), asked


def self_signed(folder: Path) -> Path:
    """A certificate for localhost with its key, in one file."""
    openssl = shutil.which("openssl")
    assert openssl, "install openssl"
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    return both
