"""The order of events of each flow, over a real socket, against files that say it line by line.

After the documented flows (https://platform.openai.com/docs/guides/realtime-conversations) and captures of the service.
A run of deltas is one line with a ``+``: how many there are is the engines' affair.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.local_engines import Broken, Caller, Reciter
from tests.serving import Client, Event, Serving, serving

ORDERS = Path(__file__).parent / "orders"
CLOCK = {"type": "function", "name": "clock", "parameters": {"type": "object"}}


def tone(seconds: float) -> bytes:
    time = np.arange(int(seconds * 24000)) / 24000
    return bytes((np.sin(2 * np.pi * 220 * time) * 20000).astype("<i2").tobytes())


def silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * 24000))


def order(events: list[Event]) -> list[str]:
    """The types in order; a delta or a spoken sentence's two kinds of deltas, however often, are one line each."""
    lines: list[str] = []
    for event in events:
        kind = str(event["type"])
        line = f"{kind} +" if kind.endswith(".delta") else kind
        if not (line.endswith("+") and line in lines[-2:]):
            lines.append(line)
    return lines


@pytest.fixture
def serve() -> Iterator[Serving]:
    with serving() as made:
        yield made


def check(name: str, client: Client) -> None:
    """Compare what came with the file of that name."""
    wanted = (ORDERS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert order(client.events) == wanted


def begun(serve: Serving, query: str = "?model=tests", **session: Any) -> Client:
    """A client whose session is set."""
    client = serve.connect(query)
    kind = client.until("session.created")["session"]["type"]
    client.send("session.update", session={"type": kind, **session})
    client.until("session.updated")
    return client


TRANSCRIBED = {"input": {"transcription": {"model": "whisper-1"}}}
BY_HAND = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}


def test_a_typed_turn(serve: Serving) -> None:
    with begun(serve, output_modalities=["text"]) as client:
        client.say("Go.")
        client.until("conversation.item.done")
        client.send("response.create")
        client.until("rate_limits.updated")
        check("text_turn", client)


def test_a_spoken_turn_whose_end_the_server_hears(serve: Serving) -> None:
    with begun(serve, audio=TRANSCRIBED) as client:
        client.append(silence(0.3) + tone(1.0) + silence(1.0))
        client.until("rate_limits.updated")
        check("voice_turn", client)


def test_a_spoken_turn_that_the_client_ends(serve: Serving) -> None:
    with begun(serve, audio=BY_HAND) as client:
        client.append(tone(1.0))
        client.send("input_audio_buffer.commit")
        client.until("conversation.item.input_audio_transcription.completed")
        client.send("response.create")
        client.until("rate_limits.updated")
        check("push_to_talk", client)


def test_a_recording_that_is_taken_back(serve: Serving) -> None:
    with begun(serve, audio=BY_HAND) as client:
        client.append(tone(1.0))
        client.send("input_audio_buffer.clear")
        client.until("input_audio_buffer.cleared")
        client.send("input_audio_buffer.commit")
        assert client.next()["error"]["code"] == "input_audio_buffer_commit_empty"
        check("cleared", client)


def test_two_calls_and_what_came_of_them() -> None:
    with (
        serving(lm=Caller(("clock", '{"zone": "UTC"}'), ("clock", '{"zone": "CET"}'))) as serve,
        begun(serve, output_modalities=["text"], tools=[CLOCK]) as client,
    ):
        client.say("What time is it?")
        client.until("conversation.item.done")
        client.send("response.create")
        calls = client.until("response.done")["response"]["output"]
        client.until("rate_limits.updated")
        for call in calls:
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}
            client.send("conversation.item.create", item=output)
            client.until("conversation.item.done")
        client.send("response.create")
        done = client.until("response.done")["response"]
        assert done["output"][0]["content"][0]["text"] == "It is noon."
        client.until("rate_limits.updated")
        check("function_calls", client)


def test_an_interruption(serve: Serving) -> None:
    serve.lm.gate = threading.Semaphore(5)
    with begun(serve) as client:
        client.say("Go.")
        client.send("response.create")
        client.until("response.output_audio.delta")
        client.append(tone(0.6))
        done = client.until("response.done")["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        client.until("rate_limits.updated")
        serve.lm.gate.release(20)
        item_id = done["output"][0]["id"]
        client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=500)
        client.until("conversation.item.truncated")
        client.append(silence(1.0))
        client.until("rate_limits.updated")
        check("interruption", client)


def test_a_response_beside_the_conversation(serve: Serving) -> None:
    with begun(serve, output_modalities=["text"]) as client:
        aside = {"conversation": "none", "metadata": {"topic": "mood"}, "input": []}
        client.send("response.create", response=aside)
        done = client.until("response.done")["response"]
        assert (done["conversation_id"], done["metadata"]) == (None, {"topic": "mood"})
        client.until("rate_limits.updated")
        check("out_of_band", client)


def test_a_transcription(serve: Serving) -> None:
    with begun(serve, "?intent=transcription", audio=TRANSCRIBED) as client:
        client.append(tone(2.0) + silence(1.0))
        done = client.until("conversation.item.input_audio_transcription.completed")
        assert done["transcript"] == "2 seconds."
        check("transcription", client)


def test_a_response_that_is_cancelled(serve: Serving) -> None:
    serve.lm.gate = threading.Semaphore(2)
    with begun(serve, output_modalities=["text"]) as client:
        client.send("response.create")
        client.until("response.output_text.delta")
        client.send("response.cancel")
        done = client.until("response.done")["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        client.until("rate_limits.updated")
        serve.lm.gate.release(10)
        check("cancelled", client)


def test_a_response_that_reaches_its_limit() -> None:
    with serving(lm=Reciter(("One ", "two ", "three "))) as serve, begun(serve, output_modalities=["text"]) as client:
        client.send("response.create", response={"max_output_tokens": 2})
        done = client.until("response.done")["response"]
        assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        client.until("rate_limits.updated")
        check("incomplete", client)


def test_a_response_that_fails() -> None:
    with serving(lm=Broken()) as serve, begun(serve, output_modalities=["text"]) as client:
        client.send("response.create")
        done = client.until("response.done")["response"]
        assert (done["status"], done["status_details"]["error"]["type"]) == ("failed", "server_error")
        client.until("rate_limits.updated")
        check("failed", client)
