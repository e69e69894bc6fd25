"""Connecting: addresses, deadlines, proxies, certificates, and servers that are none."""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import serve

from realtime_cli.errors import ConfigError, ConnectionFailed
from realtime_cli.transport.websocket import WebSocketTransport
from tests import scripts
from tests.scripted_server import HttpAnswer, Raw, ScriptedServer
from tests.wire_client import KEY, PATIENCE_S, Client, connected, failure_of, full_queue, reach


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
    ("behaviour", "said"),
    [
        (scripts.never_shakes_hands, "took the connection but does not answer"),
        (scripts.not_http, "is no websocket server"),
        (scripts.hangs_up, "closes the connection at once"),
    ],
)
def test_what_is_no_websocket_server_is_said_so(behaviour: Raw, said: str) -> None:
    assert said in failure_of(behaviour, connect_timeout_s=0.5)


def test_a_redirect_is_not_followed_because_the_key_would_go_with_it() -> None:
    with ScriptedServer(scripts.text_turns()) as elsewhere:
        assert "redirects elsewhere" in failure_of(scripts.redirect(elsewhere.url))
    assert elsewhere.handshakes == []


def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionFailed, match=f"127.0.0.1 port {port} refuses the connection: is the server running"):
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
        places = [("127.0.0.1", listener.getsockname()[1]), ("127.0.0.1", port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connected("ws://two-addresses.test:80", connect_timeout_s=1.0) as client:
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


def test_a_proxy_of_a_kind_we_cannot_use_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(ConfigError, match="only http://host:port will do"):
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


@contextmanager
def proxy_to(url: str) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that connects one client through to ``url`` whatever it asks for, and keeps what it asked."""
    asked: list[bytes] = []
    target = url.removeprefix("ws://").partition("/")[0].split(":")

    def pump(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def behave(client: socket.socket, _stopping: threading.Event) -> None:
        asked.append(client.recv(4096))
        with socket.create_connection((target[0], int(target[1]))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            upstream = threading.Thread(target=pump, args=(client, server))
            upstream.start()
            pump(server, client)
            upstream.join()

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
