"""A whole spoken turn on the real engines: a question by espeak-ng is heard, understood and answered aloud."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from realtime_cli.server.engines.optional_packages import missing_parts
from realtime_cli.server.engines.weights import WeightsOutOfReach, fetch_weights
from realtime_cli.server.local_server import LocalServer, load_server
from realtime_cli.transport.loopback import LoopbackTransport
from tests.needs import need, need_espeak
from tests.real_engines import never
from tests.schema_check import check_order, check_server_event

Event = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    need(not missing_parts(), "the optional part")
    need_espeak()
    try:
        fetch_weights(lambda _done, _total: None)
    except WeightsOutOfReach as error:
        need(False, str(error))
    loaded = load_server(lambda _line: None)
    yield loaded
    loaded.close()


def spoken(text: str) -> bytes:
    """``text`` as a voice says it between silences, as PCM16 at 24 kHz."""
    made = subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text], capture_output=True, check=True)
    frames, rate_hz = soundfile.read(io.BytesIO(made.stdout), dtype="float32")
    frames = soxr.resample(frames, rate_hz, 24000)
    return bytes(24_000) + bytes((frames * 20000).astype("<i2").tobytes()) + bytes(48_000)


class NotClosed:
    """A server that outlives the transport: it is shared by the tests of this file."""

    def __init__(self, server: LocalServer) -> None:
        self.connect = server.connect

    def close(self) -> None:
        """Left to the fixture."""


def talk(server: LocalServer, act: Callable[[Event, Callable[..., None]], bool]) -> list[Event]:
    """A session over the loopback: ``act`` gets each event and a sender, and says when it is over."""
    transport = LoopbackTransport(lambda _notice, _stopped: NotClosed(server), lambda _line: None)
    events: list[Event] = []

    def send(kind: str, **fields: Any) -> None:
        transport.send(json.dumps({"type": kind, **fields}))

    def received(text: str) -> None:
        event = json.loads(text)
        check_server_event(event)
        events.append(event)
        if act(event, send):
            transport.close()

    transport.run(lambda: None, received)
    check_order(events)
    return events


def only(events: list[Event], kind: str) -> Event:
    (found,) = (event for event in events if event["type"] == kind)
    return found


def test_a_spoken_question_is_transcribed_and_answered_aloud(server: LocalServer) -> None:
    def act(event: Event, send: Callable[..., None]) -> bool:
        if event["type"] == "session.created":
            transcription = {"transcription": {"model": "whisper-1"}}
            send("session.update", session={"type": "realtime", "audio": {"input": transcription}})
            audio = spoken("What is the capital of France?")
            for at in range(0, len(audio), 4800):
                send("input_audio_buffer.append", audio=base64.b64encode(audio[at : at + 4800]).decode())
        return bool(event["type"] == "response.done")

    events = talk(server, act)
    heard = only(events, "conversation.item.input_audio_transcription.completed")["transcript"]
    assert "capital of france" in heard.casefold()
    response = only(events, "response.done")["response"]
    assert response["status"] == "completed"
    assert "paris" in response["output"][0]["content"][0]["transcript"].casefold()
    sound = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
    frames = np.frombuffer(sound, "<i2").astype(np.float32) / 32768
    assert len(frames) > 24000 / 2
    said = server.engines.transcribe(soxr.resample(frames, 24000, 16000), None, never, never).text
    assert "paris" in said.casefold()


def test_silence_is_neither_transcribed_nor_answered(server: LocalServer) -> None:
    def act(event: Event, send: Callable[..., None]) -> bool:
        if event["type"] == "session.created":
            for _ in range(30):
                send("input_audio_buffer.append", audio=base64.b64encode(bytes(4800)).decode())
            send("input_audio_buffer.commit")
            send("response.create", response={"output_modalities": ["text"]})
        return bool(event["type"] == "response.done")

    events = talk(server, act)
    assert "input_audio_buffer.speech_started" not in {event["type"] for event in events}
    output = only(events, "response.done")["response"]["output"]
    assert output[0]["content"][0]["text"] == "Sorry, I did not catch that."
