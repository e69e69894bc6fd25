"""The voice server's socket: who may come in, what it says to those who may not, and how sessions end."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import websocket as websocket_client
from openai.types.realtime import ClientSecretCreateResponse

import realtime_cli.server.socket.websocket as websocket_module
from realtime_cli.server.sharing import FairLock
from realtime_cli.server.socket.waiting_room import MOST_WAITING, WaitingRoom
from tests.local_engines import PATIENCE_S, Beeper, Reciter
from tests.schema_check import check_beta_server_event
from tests.serving import Client, Serving, serving, wait_for

PREFLIGHT = "Access-Control-Request-Headers"
TOKEN = "a-token-of-the-tests-0123456789"


def http(
    serve: Serving, path: str, body: Any = None, *, method: str | None = None, **headers: str
) -> tuple[int, Any, Any]:
    """Status, JSON body and headers of an answer."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{serve.server.port}{path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            content = answer.read()
            return answer.status, json.loads(content) if content else None, answer.headers
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read()), refused.headers


def refusal(serve: Serving, query: str = "?model=tests", **options: Any) -> tuple[str | None, int, str]:
    """Error code, close code and close reason for a client that is let into the WebSocket only to hear why not."""
    with serve.connect(query, **options) as client:
        closed = client.closed()
        (event,) = client.events
        assert event["type"] == "error"
        return event["error"]["code"], closed.code, closed.reason


def test_a_session_is_held_over_the_socket() -> None:
    with serving() as serve, serve.connect() as client:
        created = client.until("session.created")
        assert created["session"]["model"] == "tests"
        client.say("A story.")
        client.send("response.create")
        done = client.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "Once upon a time. The end."


def test_the_realtime_subprotocol_is_chosen_and_the_key_never_repeated() -> None:
    with serving(token=TOKEN) as serve:
        offered = ["realtime", f"openai-insecure-api-key.{TOKEN}"]
        with serve.connect(header=[], subprotocols=offered) as client:
            assert client.socket.getsubprotocol() == "realtime"
            assert TOKEN not in str(client.socket.getheaders())
            client.until("session.created")


def test_a_client_that_offers_no_subprotocol_gets_none() -> None:
    with serving() as serve, serve.connect() as client:
        assert client.socket.getsubprotocol() is None


@pytest.mark.parametrize("header", [["Authorization: Bearer wrong-wrong-wrong-wrong"], [], ["Authorization: Bearer"]])
def test_a_wrong_key_is_refused_as_the_remote_service_does(header: list[str]) -> None:
    with serving(token=TOKEN) as serve:
        assert refusal(serve, header=header) == ("invalid_api_key", 3000, "invalid_request_error.invalid_api_key")
        with serve.connect(header=[f"Authorization: Bearer {TOKEN}"]) as client:
            client.until("session.created")


@pytest.mark.parametrize(
    ("query", "code"),
    [("?model=", "invalid_model"), (f"?model={'x' * 300}", "invalid_model"), ("?intent=dance", "invalid_value")],
)
def test_an_unsuitable_address_is_refused(query: str, code: str) -> None:
    with serving() as serve:
        assert refusal(serve, query) == (code, 4000, f"invalid_request_error.{code}")


def test_a_transcription_session_is_what_its_address_asks_for() -> None:
    with serving() as serve, serve.connect("?intent=transcription") as client:
        assert client.until("session.created")["session"]["type"] == "transcription"


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://localhost:3000", True),
        ("http://127.0.0.1:8000", True),
        ("https://pages.example", True),
        ("https://evil.example", False),
        ("https://localhost.evil.example", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_a_web_page_of_another_place_cannot_use_it(origin: str, let_in: bool) -> None:
    with serving(origins=("https://pages.example",)) as serve:
        if let_in:
            with serve.connect(origin=origin) as client:
                client.until("session.created")
        else:
            with pytest.raises(websocket_client.WebSocketBadStatusException, match="403"):
                serve.connect(origin=origin)
        status, _, headers = http(serve, "/v1/models", Origin=origin)
        assert (status == 200) == let_in
        assert (headers["Access-Control-Allow-Origin"] == origin) == let_in
        names = "authorization,x-openai-agents-sdk"
        _, _, asked = http(serve, "/v1/realtime/calls", method="OPTIONS", Origin=origin, **{PREFLIGHT: names})
        assert (asked["Access-Control-Allow-Headers"] == names) == let_in


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "["])
def test_a_name_that_was_pointed_at_this_machine_does_not_open_it(host: str) -> None:
    with serving() as serve:
        with pytest.raises(websocket_client.WebSocketBadStatusException, match="403"):
            serve.connect(host=host)
        assert http(serve, "/v1/models", Host=host)[0] == 403


def test_with_a_token_the_key_decides_and_not_the_page() -> None:
    with serving(token=TOKEN) as serve:
        with serve.connect(origin="https://app.example", host="voice.example", header={"api-key": TOKEN}) as client:
            client.until("session.created")
        assert http(serve, "/v1/models", Origin="https://app.example")[0] == 401


def test_all_places_taken_is_said_and_a_place_that_is_given_up_is_free() -> None:
    with serving(sessions=1) as serve:
        with serve.connect() as first:
            first.until("session.created")
            assert refusal(serve) == ("session_limit_reached", 1013, "invalid_request_error.session_limit_reached")
            first.close()
        with serve.connect() as second:
            second.until("session.created")


def test_a_client_that_breaks_off_in_the_middle_of_a_reply_leaves_its_place_to_the_next_fifty_times() -> None:
    lm = Reciter(("Once ", "upon ", "a ", "time. "))
    with serving(sessions=1, lm=lm) as serve:
        for number in range(50):
            client = _until_admitted(serve)
            client.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
            lm.words = (f"reply{number} ", *(["word "] * 5))
            lm.gate = threading.Semaphore(1)
            client.say("Go.")
            client.send("response.create")
            first = client.until("response.output_text.delta")
            assert first["delta"] == f"reply{number} "
            assert sum(event["type"] == "session.created" for event in client.events) == 1
            client.reset()
            lm.gate.release(10)
        assert serve.server.sessions <= 1


def _until_admitted(serve: Serving) -> Client:
    """Connect as soon as the server has noticed that the client before has gone."""
    while True:
        client = serve.connect()
        if client.next()["type"] == "session.created":
            return client
        client.close()


def test_a_message_that_is_too_big_closes_the_connection_with_a_reason() -> None:
    with serving() as serve, serve.connect() as client:
        client.until("session.created")
        client.send("input_audio_buffer.append", audio="A" * (22 * 1024 * 1024))
        closed = client.closed()
        assert closed.code == 1009
        assert "limit" in closed.reason


def test_what_is_no_event_is_an_error_and_the_session_goes_on() -> None:
    with serving() as serve, serve.connect() as client:
        client.until("session.created")
        for send, code in (
            (lambda: client.socket.send_binary(b"\0\1"), "invalid_event"),
            (lambda: client.socket.send("{"), "invalid_json"),
            (lambda: client.send("dance"), "invalid_value"),
        ):
            send()
            assert client.next()["error"]["code"] == code
        client.send("input_audio_buffer.clear")
        client.until("input_audio_buffer.cleared")


def test_text_that_is_no_utf8_closes_the_connection() -> None:
    with serving() as serve, serve.connect() as client:
        client.until("session.created")
        client.socket.send(b"\xff\xfe", websocket_client.ABNF.OPCODE_TEXT)
        assert client.closed().code == 1007


def test_a_session_ends_at_its_limit_with_an_error_and_1001() -> None:
    with serving(session_minutes=0.01) as serve, serve.connect() as client:
        created = client.until("session.created")
        assert created["session"]["expires_at"] > 1_700_000_000
        closed = client.closed()
        assert client.events[-1]["error"]["code"] == "session_expired"
        assert (closed.code, closed.reason) == (1001, "invalid_request_error.session_expired")


def test_the_end_of_the_server_ends_sessions_with_1001() -> None:
    with serving() as serve:
        client = serve.connect()
        client.until("session.created")
        ending = threading.Thread(target=serve.server.close)
        ending.start()
        assert client.closed().code == 1001
        client.close()
        ending.join(PATIENCE_S)
        assert serve.server.sessions == 0


def test_a_client_that_leaves_in_the_middle_of_a_reply_is_bidden_farewell() -> None:
    with serving(lm=Reciter([f"{'x' * 20}. "] * 5)) as serve:
        for _ in range(5):
            with serve.connect(check=lambda _event: None) as client:
                client.send("response.create")
                client.until("response.output_audio.delta")
                client.socket.send_close()
                assert client.closed().code == 1000


def test_two_sessions_do_not_hear_each_other() -> None:
    lm = Reciter(("One. ", "Two. "))
    with serving(lm=lm) as serve, serve.connect() as first, serve.connect() as second:
        for client in (first, second):
            client.until("session.created")
            client.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
            client.until("session.updated")
        first.say("Go.")
        first.send("response.create")
        first.until("response.done")
        second.send("input_audio_buffer.clear")
        assert second.next()["type"] == "input_audio_buffer.cleared"


def test_health_and_models_are_told_over_http() -> None:
    with serving(token=TOKEN, sessions=3) as serve:
        status, body, _ = http(serve, "/healthz")
        assert (status, body["status"], body["sessions"], body["max_sessions"]) == (200, "ok", 0, 3)
        assert http(serve, "/v1/models")[0] == 401
        status, body, _ = http(serve, "/v1/models", Authorization=f"Bearer {TOKEN}")
        assert [model["id"] for model in body["data"]] == ["local"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/v1/realtime", 426), ("DELETE", "/v1/models", 405), ("GET", "/v1/../etc", 404)],
)
def test_what_is_not_there_is_a_json_error(method: str, path: str, status: int) -> None:
    with serving() as serve:
        found, body, _ = http(serve, path, method=method)
        assert (found, body["error"]["type"]) == (status, "invalid_request_error")


HOST = b"Host: 127.0.0.1\r\n"
UPGRADE = (
    HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


def test_connections_that_ask_nothing_keep_nobody_out() -> None:
    with serving() as serve, ExitStack() as silent:
        for _ in range(MOST_WAITING + 8):
            sock = silent.enter_context(socket.create_connection(("127.0.0.1", serve.server.port), PATIENCE_S))
            sock.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert http(serve, "/healthz")[0] == 200
        with serve.connect() as client:
            client.until("session.created")


def test_who_has_asked_nothing_for_longest_gives_way_and_who_is_served_stays() -> None:
    gone: list[str] = []
    room = WaitingRoom[str](gone.append, most=3)
    assert all(room.enter(name) for name in ("served", "answered", "silent"))
    for name in ("served", "answered"):
        room.has_asked(name)
    room.is_answered("answered")
    assert room.enter("new")
    assert gone == ["silent"]
    for name in ("answered", "new"):
        room.has_asked(name)
    assert not room.enter("too many")
    room.leave("served")
    room.has_asked("silent")
    room.is_answered("silent")
    assert room.enter("next")
    assert gone == ["silent"]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b" 400 "),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", b" 505 "),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", b" 414 "),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n", b" 431 "),
        (b"BREW /healthz HTTP/1.1\r\n" + HOST + b"\r\n", b" 501 "),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b" 403 "),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", b" 403 "),
        (b"POST /v1/realtime/client_secrets HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\n", b" 413 "),
        (b"POST /v1/realtime/client_secrets HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", b" 413 "),
        (b"POST /v1/realtime HTTP/1.1\r\n" + UPGRADE + b"Connection: close\r\n\r\n", b" 404 "),
        (b"GET /v1/realtime HTTP/1.1\r\n" + UPGRADE.replace(b"13", b"8") + b"\r\n", b" 400 "),
        (b"GET /v1/realtime HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\n\r\n", b" 426 "),
        (b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", b" 200 "),
    ],
)
def test_what_is_half_a_request_or_none_is_answered_and_the_next_client_served(request_: bytes, answer: bytes) -> None:
    with serving() as serve:
        with socket.create_connection(("127.0.0.1", serve.server.port), timeout=PATIENCE_S) as sock:
            sock.sendall(request_)
            first_line = sock.makefile("rb").readline()
        assert answer in first_line
        assert b"<" not in first_line
        with serve.connect() as client:
            client.until("session.created")


def test_a_frame_that_breaks_the_rules_ends_its_own_connection_alone() -> None:
    with serving() as serve:
        with socket.create_connection(("127.0.0.1", serve.server.port), timeout=PATIENCE_S) as sock:
            sock.sendall(b"GET /v1/realtime HTTP/1.1\r\n" + UPGRADE + b"\r\n" + b"\x81\x02{}")
            received = b"".join(iter(lambda: sock.recv(65_536), b""))
        assert b"\x03\xea" in received  # close code 1002: a client's frames are masked (RFC 6455, 5.1)
        with serve.connect() as client:
            client.until("session.created")


def test_a_body_that_is_too_long_is_refused() -> None:
    with serving() as serve:
        assert http(serve, "/v1/realtime/client_secrets", b"x" * 1_000_001)[0] == 413


SECRETS = "/v1/realtime/client_secrets"
LONG = "".join(map(str, range(60_000)))


def test_a_client_secret_is_a_key_that_carries_its_session() -> None:
    with serving(token=TOKEN) as serve:
        session = {
            "type": "realtime",
            "model": "mine",
            "instructions": "Be brief.",
            "audio": {"output": {"speed": 1.2}},
        }
        body = {"session": session, "expires_after": {"anchor": "created_at", "seconds": 60}}
        assert http(serve, SECRETS, body)[0] == 401
        status, made, _ = http(serve, SECRETS, body, Authorization=f"Bearer {TOKEN}")
        assert status == 200
        ClientSecretCreateResponse.model_validate(made, strict=True)
        assert made["value"].startswith("ek_")
        assert made["session"]["instructions"] == "Be brief."
        with serve.connect("", header=[f"Authorization: Bearer {made['value']}"]) as client:
            begun = client.until("session.created")["session"]
            assert (begun["model"], begun["instructions"]) == ("mine", "Be brief.")
            assert begun["audio"]["output"]["speed"] == 1.2
        assert http(serve, SECRETS, body, Authorization=f"Bearer {made['value']}")[0] == 401


def test_a_client_secret_for_transcription_makes_such_a_session() -> None:
    with serving() as serve:
        _, made, _ = http(serve, SECRETS, {"session": {"type": "transcription"}})
        with serve.connect(header=[f"Authorization: Bearer {made['value']}"]) as client:
            assert client.until("session.created")["session"]["type"] == "transcription"


def test_servers_of_one_token_take_each_others_secrets_and_no_others() -> None:
    with serving(token=TOKEN) as one, serving(token=TOKEN) as two, serving(token=TOKEN + "x") as other:
        _, made, _ = http(one, SECRETS, {}, Authorization=f"Bearer {TOKEN}")
        key = [f"Authorization: Bearer {made['value']}"]
        with two.connect(header=key) as client:
            client.until("session.created")
        assert refusal(other, header=key)[0] == "invalid_api_key"


@pytest.mark.parametrize("key", ["ek_", "ek_nonsense", "ek_" + "A" * 80, "ek_ä"])
def test_an_ephemeral_key_that_was_not_made_here_is_refused_even_where_any_key_will_do(key: str) -> None:
    with serving() as serve:
        assert refusal(serve, header=[f"Authorization: Bearer {key}"])[1] == 3000


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"session": {"type": "poem"}}, "invalid_value", "session.type"),
        ({"session": {}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "realtime", "temperature": 1}}, "unknown_parameter", "session.temperature"),
        ({"expires_after": {"anchor": "created_at", "seconds": 9}}, "integer_below_min_value", None),
        ({"surprise": 1}, "unknown_parameter", None),
        ([], "invalid_value", None),
        (b"{", "invalid_json", None),
        (
            {"session": {"type": "realtime", "instructions": "".join(map(str, range(60_000)))}},
            "invalid_value",
            "session",
        ),
    ],
)
def test_a_client_secret_for_what_cannot_be_had_is_refused(body: Any, code: str, param: str | None) -> None:
    with serving() as serve:
        status, answer, _ = http(serve, SECRETS, body)
        assert (status, answer["error"]["code"]) == (400, code)
        assert param is None or answer["error"]["param"] == param


def beta_client(serve: Serving) -> Client:
    header = ["Authorization: Bearer any", "OpenAI-Beta: realtime=v1"]
    return serve.connect("?model=gpt-realtime", header=header, check=check_beta_server_event)


def test_a_client_of_the_beta_is_spoken_to_in_its_shape() -> None:
    header = ["Authorization: Bearer any", "OpenAI-Beta: realtime=v1"]
    with (
        serving() as serve,
        serve.connect("?model=gpt-realtime", header=header, check=check_beta_server_event) as client,
    ):
        session = client.until("session.created")["session"]
        assert (session["modalities"], session["input_audio_format"]) == (["text", "audio"], "pcm16")
        assert "type" not in session
        update = {"modalities": ["text"], "temperature": 0.7, "voice": "echo", "turn_detection": None}
        client.send("session.update", session=update)
        session = client.until("session.updated")["session"]
        assert (session["modalities"], session["voice"], session["turn_detection"]) == (["text"], "echo", None)
        client.say("Go.")
        client.until("conversation.item.created")
        client.send("response.create", response={"max_response_output_tokens": 100})
        client.until("response.text.delta")
        done = client.until("response.done")["response"]
        assert (done["modalities"], done["output"][0]["content"][0]["type"]) == (["text"], "text")
        assert not any("output_text" in event["type"] for event in client.events)


def test_a_beta_client_hears_a_reply() -> None:
    header = ["Authorization: Bearer any", "OpenAI-Beta: realtime=v1"]
    with (
        serving() as serve,
        serve.connect("?model=gpt-realtime", header=header, check=check_beta_server_event) as client,
    ):
        client.say("Go.")
        client.send("response.create", response={"modalities": ["text", "audio"], "output_audio_format": "g711_ulaw"})
        client.until("response.audio.delta")
        done = client.until("response.done")["response"]
        assert (done["output_audio_format"], done["output"][0]["content"][0]["type"]) == ("g711_ulaw", "audio")


def test_a_client_that_gives_no_sign_of_life_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "TICK_S", 0.05)
    with serving() as serve:
        with socket.create_connection(("127.0.0.1", serve.server.port), timeout=PATIENCE_S) as dead:
            dead.sendall(b"GET /v1/realtime HTTP/1.1\r\n" + UPGRADE + b"\r\n")
            received = b""
            while b"session.created" not in received:
                received += dead.recv(65_536)
            monkeypatch.setattr(websocket_module, "PING_S", 0.05)
            received += b"".join(iter(lambda: dead.recv(65_536), b""))
        assert b"\x89\x00" in received  # a ping
        wait_for(lambda: serve.server.sessions == 0)


def test_a_client_that_takes_nothing_loses_its_place_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "SEND_S", 0.2)
    with serving(lm=Reciter([f"{'x' * 400}. "] * 10)) as serve, serve.connect() as deaf, serve.connect() as other:
        deaf.send("response.create")
        other.until("session.created")
        other.send("input_audio_buffer.clear")
        other.until("input_audio_buffer.cleared")
        wait_for(lambda: serve.server.sessions == 1)
        other.send("input_audio_buffer.clear")
        other.until("input_audio_buffer.cleared")


def test_a_client_that_takes_nothing_does_not_hold_up_the_end() -> None:
    with serving(lm=Reciter([f"{'x' * 400}. "] * 10)) as serve, serve.connect() as deaf:
        deaf.send("response.create")
        wait_for(lambda: serve.lm.given == 10)
        serve.server.close(0.1)
        wait_for(lambda: serve.server.sessions == 0)


class OneByOne(Beeper):
    """Speaks a sentence for each permit, and notes who asked."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.asked: list[str] = []

    def synthesize(self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]) -> Any:
        self.asked.append(voice)
        assert self.permits.acquire(timeout=PATIENCE_S)
        yield from super().synthesize(text, voice, speed, cancelled)


def test_a_session_is_answered_between_the_sentences_of_another_ones_long_reply() -> None:
    voice = OneByOne()
    lm = Reciter(tuple(f"This is sentence {number}. " for number in range(8)))
    with serving(lm=lm, tts=voice) as serve, serve.connect() as first, serve.connect() as second:
        for client in (first, second):
            client.until("session.created")
        first.send("response.create")
        wait_for(lambda: voice.asked == ["alloy"])
        second.send("response.create", response={"audio": {"output": {"voice": "ash"}}})
        wait_for(lambda: http(serve, "/healthz")[1]["waiting"] == 1)
        voice.permits.release(100)
        first.until("response.done")
        second.until("response.done")
    assert sorted(voice.asked) == ["alloy"] * 8 + ["ash"] * 8
    assert voice.asked[1] == "ash"


def test_out_of_two_who_wait_for_an_engine_the_first_is_the_next() -> None:
    lock, order = FairLock(), []

    def enter(name: str) -> None:
        with lock:
            order.append(name)

    with lock:
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=enter, args=(f"{number}",)))
            threads[-1].start()
            wait_for(lambda: lock.waiting == number + 1)  # noqa: B023 -- called at once
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == ["0", "1", "2", "3", "4"]
