"""The local server's threads: with small engines of known behaviour, and with the real ones."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from realtime_cli.errors import ConfigError, ConnectionFailed
from realtime_cli.server.connection import Ending
from realtime_cli.server.core.core import SessionPlan
from realtime_cli.server.engines.interface import Message
from realtime_cli.server.engines.loading import Engines, Loaders
from realtime_cli.server.local_server import LocalServer
from realtime_cli.transport.loopback import LoopbackTransport
from tests.local_core_driver import types
from tests.local_engines import Beeper, Broken, LoudnessVad, Reciter, SecondsHeard
from tests.schema_check import check_order, check_server_event
from tests.waiting import PATIENCE_S


class Client:
    """A connection to a server and all that came over it, each event checked against the official types."""

    def __init__(self, server: LocalServer) -> None:
        self._messages: SimpleQueue[str | None] = SimpleQueue()
        self.problem: str | None = None
        self.events: list[dict[str, Any]] = []
        self.line = server.connect(self._messages.put, self._ended, SessionPlan())

    def _ended(self, ending: Ending) -> None:
        self.problem = ending.problem
        self._messages.put(None)

    def send(self, kind: str, **fields: Any) -> None:
        self.line.receive(json.dumps({"type": kind, **fields}))

    def append(self, audio: bytes) -> None:
        """In microphone blocks of 20 ms."""
        for at in range(0, len(audio), 960):
            self.send("input_audio_buffer.append", audio=base64.b64encode(audio[at : at + 960]).decode())

    def say(self, text: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        self.send("conversation.item.create", item=item)

    def until(self, kind: str) -> dict[str, Any]:
        """Wait for the next event of a type; no error may come before it."""
        while True:
            message = self._messages.get(timeout=PATIENCE_S)
            assert message is not None, f"ended without {kind}: {self.problem}"
            event = json.loads(message)
            check_server_event(event)
            self.events.append(event)
            if event["type"] == kind:
                check_order(self.events)
                return dict(event)
            assert event["type"] != "error", event

    def end(self) -> None:
        """Wait for the end of the connection."""
        while self._messages.get(timeout=PATIENCE_S) is not None:
            pass

    def sound(self) -> bytes:
        """All the sound that came."""
        deltas = (event["delta"] for event in self.events if event["type"] == "response.output_audio.delta")
        return b"".join(map(base64.b64decode, deltas))


class Room:
    """A server with test engines."""

    def __init__(self, **engines: Any) -> None:
        self.stt = SecondsHeard()
        self.lm = Reciter()
        made = {"vad": LoudnessVad(), "stt": self.stt, "lm": self.lm, "tts": Beeper(), **engines}
        self.loaded: list[str] = []

        def load(name: str) -> Any:
            self.loaded.append(name)
            return made[name]

        loaders = Loaders(
            voice_activity=lambda: lambda: load("vad"),
            speech_to_text=lambda: load("stt"),
            language_model=lambda: load("lm"),
            text_to_speech=lambda: load("tts"),
        )
        self.server = LocalServer(Engines(loaders))


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.stt.gate.set()
    made.server.close()


@pytest.fixture
def broken() -> Iterator[Callable[..., Client]]:
    rooms: list[Room] = []

    def make(*parts: str) -> Client:
        rooms.append(Room(**dict.fromkeys(parts, Broken())))
        return Client(rooms[-1].server)

    yield make
    for one in rooms:
        one.server.close()


def tone(seconds: float) -> bytes:
    time = np.arange(int(seconds * 24000)) / 24000
    return bytes((np.sin(2 * np.pi * 220 * time) * 20000).astype("<i2").tobytes())


def silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * 24000))


def transcript(done: dict[str, Any]) -> str:
    return str(done["response"]["output"][0]["content"][0]["transcript"])


def test_a_text_session_is_answered_and_loads_the_language_model_alone(room: Room) -> None:
    client = Client(room.server)
    client.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    client.say("A story.")
    client.send("response.create")
    done = client.until("response.done")
    assert done["response"]["output"][0]["content"][0]["text"] == "Once upon a time. The end."
    assert room.lm.read == (Message("user", "A story."),)
    assert room.loaded == ["lm"]


def test_a_spoken_turn_is_heard_understood_and_answered_aloud(room: Room) -> None:
    client = Client(room.server)
    client.append(silence(0.5) + tone(2.3) + silence(1.0))
    done = client.until("response.done")
    assert done["response"]["status"] == "completed"
    assert room.lm.read == (Message("user", "3 seconds."),)
    spoken = "Once upon a time.", "The end."
    assert len(client.sound()) == sum(map(len, spoken)) * 4800
    assert room.stt.calls == 1
    kinds = types(client.events)
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("input_audio_buffer.speech_stopped")


def test_a_reply_is_made_once_and_while_the_end_of_the_turn_gets_sure(room: Room) -> None:
    client = Client(room.server)
    client.append(tone(1.0) + silence(0.4))
    assert room.lm.asked.wait(PATIENCE_S)
    client.say("By the way.")
    client.until("conversation.item.done")
    assert "input_audio_buffer.speech_stopped" not in types(client.events)
    client.send("conversation.item.delete", item_id=client.events[-1]["item"]["id"])
    client.append(silence(0.5))
    assert transcript(client.until("response.done")) == "Once upon a time. The end."
    assert room.lm.calls == 1


def test_a_reply_to_half_a_sentence_is_given_up_when_the_user_goes_on(room: Room) -> None:
    client = Client(room.server)
    client.append(tone(1.0) + silence(0.4))
    assert room.lm.asked.wait(PATIENCE_S)
    client.append(tone(1.0) + silence(1.0))
    assert transcript(client.until("response.done")) == "Once upon a time. The end."
    assert room.lm.read == (Message("user", "3 seconds."),)
    assert types(client.events).count("response.created") == 1


def test_a_reply_begun_under_other_instructions_is_made_anew(room: Room) -> None:
    client = Client(room.server)
    client.append(tone(1.0) + silence(0.4))
    assert room.lm.asked.wait(PATIENCE_S)
    client.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
    client.append(silence(0.5))
    assert transcript(client.until("response.done")) == "Once upon a time. The end."
    assert room.lm.read[0] == Message("system", "Be brief.")


def test_recognition_goes_on_while_the_connection_hears(room: Room) -> None:
    room.stt.gate.clear()
    client = Client(room.server)
    client.append(tone(1.0) + silence(1.0))
    client.until("conversation.item.done")
    client.say("Meanwhile.")
    client.until("conversation.item.done")
    room.stt.gate.set()
    client.until("response.done")


def test_the_first_sentence_is_heard_before_the_model_has_written_the_second(room: Room) -> None:
    room.lm.gate = threading.Semaphore(5)
    client = Client(room.server)
    client.say("A story.")
    client.send("response.create")
    delta = client.until("response.output_audio_transcript.delta")
    assert delta["delta"] == "Once upon a time. "
    client.until("response.output_audio.delta")
    assert room.lm.given <= 5
    room.lm.gate.release(10)
    client.until("response.done")


def test_a_barge_in_stops_the_model(room: Room) -> None:
    room.lm.gate = threading.Semaphore(5)
    client = Client(room.server)
    client.say("A story.")
    client.send("response.create")
    client.until("response.output_audio.delta")
    client.append(tone(0.5))
    done = client.until("response.done")
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    room.lm.gate.release(10)
    assert room.lm.cancelled.wait(PATIENCE_S)
    client.append(silence(1.0))
    assert client.until("response.done")["response"]["status"] == "completed"


def test_a_limit_of_tokens_cuts_the_reply(room: Room) -> None:
    client = Client(room.server)
    client.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 3})
    response = client.until("response.done")["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "Once upon a "
    client.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 6})
    assert client.until("response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_telephone_audio_goes_both_ways(room: Room, kind: str) -> None:
    from realtime_cli.audio.core import g711

    client = Client(room.server)
    sides = {"format": {"type": kind}}
    client.send("session.update", session={"type": "realtime", "audio": {"input": sides, "output": sides}})
    loud = g711.encode(g711.narrow(np.frombuffer(tone(2.0) + silence(1.0), "<i2")), kind)
    client.append(loud)
    client.until("response.done")
    assert room.lm.read == (Message("user", "2 seconds."),)
    frames = g711.decode(client.sound(), kind)
    assert len(frames) == len("Once upon a time.The end.") * 800
    assert np.median(frames) == pytest.approx(1000, rel=0.05)


def test_two_connections_share_the_engines_and_nothing_else(room: Room) -> None:
    first, second = Client(room.server), Client(room.server)
    for client, text in ((first, "One."), (second, "Two.")):
        client.say(text)
        client.send("response.create", response={"output_modalities": ["text"]})
        assert client.until("response.done")["response"]["status"] == "completed"
        assert room.lm.read == (Message("user", text),)
    first.line.close()
    first.end()
    assert first.problem is None
    second.send("input_audio_buffer.clear")
    second.until("input_audio_buffer.cleared")


def test_a_broken_recogniser_is_an_error_and_the_session_goes_on(broken: Callable[..., Client]) -> None:
    client = broken("stt")
    client.append(tone(1.0) + silence(1.0))
    with pytest.raises(AssertionError, match="server_error"):
        client.until("response.created")
    client.say("Hello.")
    client.send("response.create")
    assert client.until("response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize("part", ["lm", "tts"])
def test_a_broken_model_or_voice_fails_the_response_and_the_session_goes_on(
    broken: Callable[..., Client], part: str
) -> None:
    client = broken(part)
    for _ in range(2):
        client.say("Hello.")
        client.send("response.create")
        response = client.until("response.done")["response"]
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["message"] == "internal error of the server"


def test_a_broken_ear_ends_the_connection_with_its_reason(broken: Callable[..., Client]) -> None:
    client = broken("vad")
    client.append(silence(0.1))
    with pytest.raises(AssertionError, match="server_error"):
        client.until("input_audio_buffer.speech_started")
    client.end()
    assert client.problem is not None
    assert "the ear is broken" in client.problem


def test_closing_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    room = Room()
    room.lm.gate = threading.Semaphore(2)
    client = Client(room.server)
    client.say("A story.")
    client.send("response.create")
    client.until("response.created")
    room.lm.gate.release(10)
    room.server.close()
    client.end()
    client.send("response.create")
    assert set(threading.enumerate()) <= before


def test_the_loopback_hands_over_messages_on_its_own_thread_until_it_is_closed(room: Room) -> None:
    transport = LoopbackTransport(lambda notice, stopped: notice("loading") or room.server, print)
    seen: list[tuple[str, threading.Thread]] = []

    def opened() -> None:
        transport.send(json.dumps({"type": "input_audio_buffer.clear"}))

    def message(text: str) -> None:
        seen.append((json.loads(text)["type"], threading.current_thread()))
        if len(seen) == 2:
            transport.close()
            transport.close()

    with pytest.raises(ConnectionFailed):
        transport.send("{}")
    transport.run(opened, message)
    here = threading.current_thread()
    assert seen == [("session.created", here), ("input_audio_buffer.cleared", here)]


def test_the_loopback_tells_that_the_server_broke() -> None:
    room = Room(vad=Broken())
    transport = LoopbackTransport(lambda notice, stopped: room.server, print)
    audio = base64.b64encode(silence(0.1)).decode()
    with pytest.raises(ConnectionFailed, match="the ear is broken"):
        transport.run(
            lambda: transport.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio})), lambda text: None
        )


def test_the_loopback_passes_on_what_the_loading_raises_and_notices() -> None:
    notices: list[str] = []

    def load(notice: Callable[[str], None], stopped: Callable[[], bool]) -> LocalServer:
        notice("fetching")
        raise ConfigError("a part is missing", "install it")

    with pytest.raises(ConfigError, match="a part is missing"):
        LoopbackTransport(load, notices.append).run(lambda: None, lambda text: None)
    assert notices == ["fetching"]


def test_a_loopback_closed_while_loading_ends_quietly() -> None:
    opened: list[bool] = []

    def load(notice: Callable[[str], None], stopped: Callable[[], bool]) -> LocalServer:
        transport.close()
        assert stopped()
        raise CancelledError

    transport = LoopbackTransport(load, print)
    transport.run(lambda: opened.append(True), lambda text: None)
    assert opened == []
