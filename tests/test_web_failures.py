"""What goes wrong before a call is there: said on the page in words, with what to do, and never with a key in it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.endpoint import endpoint
from realtime_cli.providers.profiles import CUSTOM
from realtime_cli.transport.calls import place_call
from tests.browser import Page, chromium
from tests.scripted_calls import SECRET, Provider
from tests.scripted_server import HttpAnswer, Raw, ScriptedServer
from tests.waiting import PATIENCE_S
from tests.web_program import KEY, looks, web


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as page:
        yield page


NO_CREDIT = '{"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}'
NO_MODEL = '{"error": {"message": "The model `x` does not exist.", "code": "model_not_found"}}'
WRONG_KEY = f'{{"error": {{"message": "Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}}}}'


def test_every_failure_is_said_in_words_without_a_key_and_one_may_start_again(page: Page, tmp_path: Path) -> None:
    provider = Provider()
    failures = (
        ("client_secrets", HttpAnswer(401, WRONG_KEY), "refuses the key"),
        ("client_secrets", HttpAnswer(404, NO_MODEL), "name another model"),
        ("client_secrets", HttpAnswer(429, NO_CREDIT), "add credit"),
        ("client_secrets", HttpAnswer(500, "broken"), "try again"),
        ("client_secrets", HttpAnswer(200, '{"value": 1}'), "no client secret"),
        ("calls", HttpAnswer(401, WRONG_KEY), "refuses the key"),
        ("calls", HttpAnswer(404, "Not Found"), "takes no calls by WebRTC"),
        ("calls", HttpAnswer(500, "<html>"), "try again"),
        ("calls", HttpAnswer(201, "<html>Welcome</html>"), "no answer to it"),
        ("calls", HttpAnswer(201, "v=0\r\nm=nonsense\r\n"), "does not understand"),
    )
    with ScriptedServer(looks, provider=provider) as server, web(server.url, tmp_path) as program:
        page.open(program.url)
        for resource, answer, words in failures:
            provider.failing = {resource: answer}
            page.start()
            page.until(lambda words=words: words in page.text("problem") and page.text("start") == "Start")  # type: ignore[misc]
            assert KEY not in page.driver.page_source
            assert SECRET not in page.driver.page_source
        provider.failing = {}
        page.start()
        page.until(lambda: page.text("status") == "Connected")
        page.click("start")
    assert KEY not in (tmp_path / "stderr.txt").read_text()


def says_nothing(_client: socket.socket, stopping: threading.Event) -> None:
    stopping.wait(PATIENCE_S)


def comes_to_no_end(client: socket.socket, stopping: threading.Event) -> None:
    client.recv(65_536)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        client.sendall(b" ")
        stopping.wait(0.05)


@pytest.mark.parametrize("behave", [says_nothing, comes_to_no_end])
def test_a_server_that_never_answers_or_never_to_the_end_is_said_so(
    behave: Callable[[socket.socket, threading.Event], None],
) -> None:
    with ScriptedServer(Raw(behave)) as server:
        place = endpoint(CUSTOM, {}, base_url=server.url)
        with pytest.raises(ConnectionFailed, match="does not answer"):
            place_call(place, {Dialect.GA: {}, Dialect.BETA: {}}, "v=0", answer_timeout_s=0.2)
