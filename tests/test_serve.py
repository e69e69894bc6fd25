"""The voice server's socket: how sessions are held on it, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import websocket as websocket_client

from realtime_cli.server.sharing import FairLock
from tests.local_engines import Beeper, Reciter
from tests.schema_check import check_beta_server_event
from tests.serve_requests import TOKEN, http
from tests.serving import Client, Serving, serving
from tests.waiting import PATIENCE_S, wait_until


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


def test_a_transcription_session_is_what_its_address_asks_for() -> None:
    with serving() as serve, serve.connect("?intent=transcription") as client:
        assert client.until("session.created")["session"]["type"] == "transcription"


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


def beta_client(serve: Serving) -> Client:
    header = ["Authorization: Bearer any", "OpenAI-Beta: realtime=v1"]
    return serve.connect("?model=gpt-realtime", header=header, check=check_beta_server_event)


def test_a_client_of_the_beta_is_spoken_to_in_its_shape() -> None:
    with serving() as serve, beta_client(serve) as client:
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
    with serving() as serve, beta_client(serve) as client:
        client.say("Go.")
        client.send("response.create", response={"modalities": ["text", "audio"], "output_audio_format": "g711_ulaw"})
        client.until("response.audio.delta")
        done = client.until("response.done")["response"]
        assert (done["output_audio_format"], done["output"][0]["content"][0]["type"]) == ("g711_ulaw", "audio")


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
        wait_until(lambda: voice.asked == ["alloy"])
        second.send("response.create", response={"audio": {"output": {"voice": "ash"}}})
        wait_until(lambda: http(serve, "/healthz")[1]["waiting"] == 1)
        voice.permits.release(100)
        first.until("response.done")
        second.until("response.done")
    assert sorted(voice.asked) == ["alloy"] * 8 + ["ash"] * 8
    assert voice.asked[1] == "ash"


def order_of(
    count: int, urgent: Callable[[str], bool] = lambda _name: False, then: Callable[[], None] = lambda: None
) -> list[str]:
    """Who gets an engine when, of so many who came one after the other; ``then`` happens before it is free."""
    lock, order = FairLock(), list[str]()

    def enter(name: str) -> None:
        with lock.held(lambda: urgent(name)):
            order.append(name)

    with lock.held():
        threads = []
        for number in range(count):
            threads.append(threading.Thread(target=enter, args=(f"{number}",), name=f"{number}", daemon=True))
            threads[-1].start()
            wait_until(lambda: lock.waiting == number + 1)  # noqa: B023 -- called at once
        then()
    for thread in threads:
        thread.join(PATIENCE_S)
    return order


def test_out_of_two_who_wait_for_an_engine_the_first_is_the_next() -> None:
    assert order_of(5) == ["0", "1", "2", "3", "4"]


def test_whoever_is_waited_for_goes_before_those_who_came_earlier() -> None:
    waited_for = threading.Event()
    order = order_of(5, lambda name: name == "3" and waited_for.is_set(), waited_for.set)
    assert order == ["3", "0", "1", "2", "4"]


def test_an_engine_is_given_to_one_of_those_who_wait_whoever_of_them_is_just_then_in_a_hurry() -> None:
    # Time passes from one question to the next: whoever asks finds the other in a hurry.
    assert order_of(2, lambda name: threading.current_thread().name != name) == ["0", "1"]
