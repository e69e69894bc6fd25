"""The websocket transport against a real server on this machine, well behaved and otherwise."""

from __future__ import annotations

import base64
import json
import threading
from queue import SimpleQueue

import pytest

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.dialects import append_message, from_wire
from realtime_cli.transport.liveness import Limits
from realtime_cli.transport.websocket import WebSocketTransport
from tests import scripts
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import Talk
from tests.waiting import PATIENCE_S
from tests.wire_client import KEY, Client, connected, error_of, failure_of, reach, send_until_it_fails


def test_messages_go_both_ways_and_arrive_as_they_were_sent() -> None:
    with ScriptedServer(scripts.text_turns("Good morning.")) as server, connected(server.url) as client:
        client.wait_for(1)
        client.transport.send('{"type":"session.update","session":{"type":"realtime","output_modalities":["text"]}}')
        client.transport.send('{"type":"response.create"}')
        while '"rate_limits.updated"' not in client.messages[-1]:
            client.wait_for(len(client.messages) + 1)
    kinds = [json.loads(message)["type"] for message in client.messages]
    assert kinds[:3] == ["session.created", "session.updated", "response.created"]
    assert kinds[-2] == "response.done"
    assert server.types == ["session.update", "response.create"]
    assert client.error is None


def test_the_key_and_the_user_agent_are_in_headers_and_nothing_secret_is_in_the_url() -> None:
    with ScriptedServer(scripts.text_turns()) as server, connected(server.url) as client:
        client.wait_for(1)
    (handshake,) = server.handshakes
    assert handshake.path == "/v1/realtime"
    assert handshake.query == {"model": ["gpt-realtime-2.1"]}
    assert handshake.headers["Authorization"] == f"Bearer {KEY}"
    assert handshake.headers["User-Agent"].startswith("realtime-cli/")
    assert "Origin" not in handshake.headers
    assert "OpenAI-Beta" not in handshake.headers


def test_a_message_of_fifteen_megabytes_passes_in_both_directions() -> None:
    audio = base64.b64encode(bytes(11 << 20)).decode()

    def echoes(talk: Talk) -> None:
        talk.send_raw(json.dumps(talk.expect("input_audio_buffer.append")))
        talk.obey_until_closed()

    with ScriptedServer(echoes, checked=False) as server, connected(server.url) as client:
        client.transport.send(append_message(base64.b64decode(audio)))
        client.wait_for(1)
    assert json.loads(client.messages[0])["audio"] == audio


def test_text_beyond_ascii_survives() -> None:
    with ScriptedServer(scripts.sends('{"type":"x","text":"Grüße 世界 🎙"}')) as server, connected(server.url) as client:
        client.wait_for(1)
    assert "Grüße 世界 🎙" in client.messages[0]


def test_close_ends_run_without_an_error_and_says_farewell_to_the_server() -> None:
    farewells: SimpleQueue[int | None] = SimpleQueue()

    def notes_the_end(talk: Talk) -> None:
        try:
            talk.obey_until_closed()
        finally:
            farewells.put(talk.close_code)

    with ScriptedServer(notes_the_end) as server, connected(server.url) as client:
        client.transport.close()
        client.transport.close()
        client.join()
        assert client.error is None
    assert farewells.get(timeout=PATIENCE_S) == 1000


def test_close_before_run_means_no_connection_at_all() -> None:
    with ScriptedServer(scripts.silent) as server:
        transport = WebSocketTransport(reach(server.url))
        transport.close()
        transport.run(lambda: pytest.fail("opened"), lambda _: None)
    assert server.handshakes == []


def test_close_frees_a_sender_that_is_stuck_behind_a_server_that_does_not_read() -> None:
    begun = threading.Event()
    with ScriptedServer(scripts.deaf(begun)) as server, connected(server.url) as client:
        too_much_for_all_buffers = append_message(bytes(32 << 20))
        failures: list[ConnectionFailed] = []
        stuck = threading.Thread(
            target=lambda: failures.append(send_until_it_fails(client.transport, too_much_for_all_buffers))
        )
        stuck.start()
        assert begun.wait(PATIENCE_S)
        client.close()
        stuck.join(PATIENCE_S)
        assert not stuck.is_alive()
    assert client.error is None
    assert len(failures) == 1


def test_a_server_that_answers_no_ping_counts_as_lost() -> None:
    with ScriptedServer(scripts.deaf(threading.Event())) as server:
        client = Client(server.url, limits=Limits.of(0.3))
        client.wait_open()
        while client.running:
            client.transport.watch(urgent=False)
    assert "does not answer any more: check the network" in str(client.error)


def test_sending_before_the_connection_is_there_is_an_error() -> None:
    with pytest.raises(ConnectionFailed, match="no connection yet"):
        WebSocketTransport(reach("ws://localhost:1")).send("{}")


def test_a_sender_learns_why_the_server_closed_just_as_run_does() -> None:
    script = scripts.closes(4004, "invalid_request_error.model_not_found")
    with ScriptedServer(script) as server:
        client = Client(server.url)
        client.join()
        assert send_until_it_fails(client.transport) is client.error


def test_a_bug_in_a_handler_is_raised_as_it_is_and_ends_the_connection() -> None:
    def broken(_message: str) -> None:
        raise ZeroDivisionError

    with ScriptedServer(scripts.text_turns()) as server:
        transport = WebSocketTransport(reach(server.url))
        with pytest.raises(ZeroDivisionError):
            transport.run(lambda: None, broken)


def test_what_is_not_an_event_ends_the_connection_with_a_line_for_the_user() -> None:
    def parses(message: str) -> None:
        from_wire(message)

    with ScriptedServer(scripts.sends("<html>")) as server:
        transport = WebSocketTransport(reach(server.url))
        with pytest.raises(ConnectionFailed, match="not an event of the Realtime protocol"):
            transport.run(lambda: None, parses)


def test_a_binary_frame_that_is_no_text_ends_the_connection() -> None:
    assert "sent something that is not text" in failure_of(scripts.sends(b"\xff\xfe\x00"))


def test_json_in_a_binary_frame_is_taken_like_text() -> None:
    with ScriptedServer(scripts.sends(b'{"type":"x"}')) as server, connected(server.url) as client:
        client.wait_for(1)
    assert client.messages == ['{"type":"x"}']


@pytest.mark.parametrize(
    ("script", "said", "remedy"),
    [
        (scripts.error_then_close("invalid_api_key", 3000), "refuses the key", "check the API key in OPENAI_API_KEY"),
        (scripts.error_then_close("model_not_found", 4004), "does not know the model", "--model"),
        (scripts.error_then_close("beta_api_shape_disabled", 4000), "refuses the request", "--dialect ga"),
        (scripts.error_then_close("session_expired", 1001), "is going away", "start a new one"),
        (scripts.closes(1000), "ended the session", ""),
        (scripts.closes(1008, "no"), "refuses this client (1008 no)", ""),
        (scripts.closes(1011), "failed (1011)", "try again"),
        (scripts.closes(4321, "odd"), "closed the connection (4321 odd)", ""),
        (scripts.closes(1000, after_greeting=True), "ended the session", ""),
    ],
)
def test_each_way_a_server_closes_has_its_line(script: Script, said: str, remedy: str) -> None:
    text = failure_of(script)
    assert said in text
    assert remedy in text


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 1014])
def test_after_these_closes_another_try_may_help(code: int) -> None:
    assert error_of(scripts.closes(code)).recoverable


@pytest.mark.parametrize(
    "script",
    [
        *(scripts.closes(code) for code in (1000, 1002, 1008, 3000, 4000, 4004)),
        scripts.error_then_close("insufficient_quota", 1013),
        scripts.http_status(401),
        scripts.http_status(429),
        scripts.not_http,
    ],
)
def test_a_key_a_model_a_quota_and_what_is_no_server_are_not_tried_again(script: Script) -> None:
    assert not error_of(script).recoverable


@pytest.mark.parametrize(
    "script", [scripts.http_status(503), scripts.hangs_up, scripts.error_then_close("session_expired", 1001)]
)
def test_a_server_in_trouble_is_tried_again(script: Script) -> None:
    assert error_of(script).recoverable


def test_a_name_that_is_unknown_for_now_is_tried_again() -> None:
    transport = WebSocketTransport(reach("wss://no-such-host.invalid"))
    with pytest.raises(ConnectionFailed, match="is unknown") as failed:
        transport.run(lambda: None, lambda _: None)
    assert failed.value.recoverable


def test_the_wire_log_has_every_message_but_no_audio_and_no_secret() -> None:
    log: list[tuple[str, str]] = []
    session = {"client_secret": {"value": "ek_1234567890", "expires_at": 1}, "note": f"made with {KEY}"}
    greeting = json.dumps({"type": "session.created", "session": session})

    def takes(direction: str, text: str) -> None:
        log.append((direction, text))

    with (
        ScriptedServer(scripts.sends(greeting), checked=False) as server,
        connected(server.url, on_wire=takes) as client,
    ):
        client.wait_for(1)
        client.transport.send(append_message(bytes(960)))
    (received, greeted), (sent, appended) = log
    assert (received, sent) == ("received", "sent")
    assert "ek_" not in greeted
    assert KEY not in greeted
    assert appended == '{"type":"input_audio_buffer.append","audio":"<1280 characters>"}'


def test_the_library_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        failure_of(scripts.http_status(401))
        failure_of(scripts.closes(4000))
    assert not any(record.name == "websocket" for record in caplog.records)
