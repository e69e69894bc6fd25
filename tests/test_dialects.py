"""Translation at the edge: what is sent in each dialect, and both families of names understood."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.client_events import (
    ConversationItemCreate,
    InputAudioBufferAppend,
    ResponseCancel,
    ResponseCreate,
)
from realtime_cli.protocol.codec import UnknownEvent
from realtime_cli.protocol.conversation_events import ConversationItemCreated, ErrorEvent, SessionCreated
from realtime_cli.protocol.dialects import Dialect, NotAnEvent, append_message, dialect_of, from_wire, to_wire
from realtime_cli.protocol.items import Content, Item
from realtime_cli.protocol.response_events import OutputAudioDelta, ResponseDone

PCM = {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_block_of_audio_is_the_same_message_in_every_dialect(dialect: Dialect) -> None:
    pcm = bytes(range(256))
    audio = base64.b64encode(pcm).decode()
    message = append_message(pcm)
    assert json.loads(message) == {"type": "input_audio_buffer.append", "audio": audio}
    assert to_wire(InputAudioBufferAppend(audio=audio), dialect) == message
    named = json.loads(to_wire(InputAudioBufferAppend(audio=audio, event_id="event_1"), dialect))
    assert named == {"type": "input_audio_buffer.append", "event_id": "event_1", "audio": audio}


def test_a_request_for_a_response_is_flat_in_beta_and_has_modalities_with_xai() -> None:
    said = Item(type="message", role="assistant", content=(Content(type="output_text", text="Hi"),))
    body: dict[str, Any] = {
        "output_modalities": ["audio"],
        "audio": {"output": {"voice": "ash", "format": PCM}},
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "input": [said],
    }
    event = ResponseCreate(response=body, event_id="event_1")
    assert json.loads(to_wire(event, Dialect.BETA)) == {
        "type": "response.create",
        "event_id": "event_1",
        "response": {
            "modalities": ["text", "audio"],
            "voice": "ash",
            "max_response_output_tokens": 9,
            "metadata": {"a": "b"},
            "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}],
        },
    }
    assert json.loads(to_wire(event, Dialect.XAI))["response"]["modalities"] == ["audio"]
    assert json.loads(to_wire(event, Dialect.GA))["response"]["output_modalities"] == ["audio"]


@pytest.mark.parametrize("dialect", Dialect)
def test_events_that_are_alike_everywhere_are_left_alone(dialect: Dialect) -> None:
    assert to_wire(ResponseCreate(), dialect) == '{"type":"response.create"}'
    assert json.loads(to_wire(ResponseCancel(response_id="r"), dialect)) == {
        "type": "response.cancel",
        "response_id": "r",
    }


def test_an_assistants_item_is_spelt_the_betas_way_and_a_users_is_not_changed() -> None:
    parts = (Content(type="output_audio", transcript="Hi"), Content(type="input_text", text="Ho"))
    event = ConversationItemCreate(item=Item(type="message", role="assistant", content=parts))
    content = json.loads(to_wire(event, Dialect.BETA))["item"]["content"]
    assert [part["type"] for part in content] == ["audio", "input_text"]


@pytest.mark.parametrize(
    ("beta", "ga"),
    [
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("transcription_session.created", "session.created"),
        ("transcription_session.updated", "session.updated"),
    ],
)
def test_both_names_of_a_server_event_mean_the_same(beta: str, ga: str) -> None:
    fields = {"item_id": "item_1", "response_id": "resp_1", "delta": "AAAA", "event_id": "event_1"}
    assert from_wire(json.dumps({"type": beta, **fields})) == from_wire(json.dumps({"type": ga, **fields}))
    assert not isinstance(from_wire(json.dumps({"type": beta})), UnknownEvent)


def test_content_types_of_an_assistant_become_the_ga_ones_and_the_users_stay() -> None:
    def kinds(role: str, *types: str) -> list[str]:
        item = {"id": "item_1", "role": role, "content": [{"type": kind} for kind in types]}
        event = from_wire(json.dumps({"type": "conversation.item.created", "item": item}))
        assert isinstance(event, ConversationItemCreated)
        assert event.item.content is not None
        return [part.type for part in event.item.content]

    assert kinds("assistant", "text", "audio", "output_text") == ["output_text", "output_audio", "output_text"]
    assert kinds("user", "input_text", "text") == ["input_text", "text"]


def test_a_beta_response_is_read_like_a_ga_one() -> None:
    output = [{"role": "assistant", "content": [{"type": "audio", "transcript": "Hi"}]}]
    body = {"id": "resp_1", "status": "completed", "modalities": ["text", "audio"], "output": output}
    event = from_wire(json.dumps({"type": "response.done", "response": body}))
    assert isinstance(event, ResponseDone)
    assert event.response.output_modalities == ("audio",)
    assert event.response.output is not None
    assert event.response.output[0].content == (Content(type="output_audio", transcript="Hi"),)


def test_bytes_are_as_good_as_text() -> None:
    assert from_wire(b'{"type":"response.output_audio.delta","delta":"AAAA"}') == OutputAudioDelta(delta="AAAA")


@pytest.mark.parametrize("garbage", ["", "<html>", "null", "[]", '"text"', "{}", '{"type":7}', '{"type":"x"', b"\xff"])
def test_what_is_no_event_is_said_so_in_one_line(garbage: str | bytes) -> None:
    with pytest.raises(NotAnEvent, match="is this a Realtime endpoint") as failed:
        from_wire(garbage)
    assert isinstance(failed.value, ConnectionFailed)
    assert isinstance(failed.value, ValueError)


@pytest.mark.parametrize("odd", ["item", "response", "error", "session"])
def test_a_part_of_the_wrong_shape_is_no_reason_to_fail(odd: str) -> None:
    values: tuple[Any, ...] = (None, 3, [], "text", {"content": "x", "output": 3, "modalities": None})
    for kind in ("conversation.item.added", "response.done", "error", "session.created"):
        for value in values:
            from_wire(json.dumps({"type": kind, odd: value}))


def test_a_key_that_a_server_repeats_in_an_error_is_hidden_at_the_edge() -> None:
    message = "Incorrect API key provided: sk-proj-abcdefghijk"
    for error in ({"message": message}, message):
        event = from_wire(json.dumps({"type": "error", "error": error}))
        assert isinstance(event, ErrorEvent)
        assert event.error.message == "Incorrect API key provided: [hidden]"


@pytest.mark.parametrize(
    ("session", "dialect"),
    [
        ({"type": "realtime", "audio": {}, "id": "sess_1"}, Dialect.GA),
        ({"type": "transcription"}, Dialect.GA),
        ({"modalities": ["text"], "voice": "alloy", "turn_detection": None}, Dialect.BETA),
        ({"input_audio_format": "pcm16"}, Dialect.BETA),
        ({"voice": "Eve", "turn_detection": None, "audio": {}}, Dialect.XAI),
        ({"audio": {}, "voice": None, "turn_detection": None, "modalities": None}, Dialect.GA),
        ({"id": "sess_1", "modalities": None, "input_audio_format": None}, None),
        ({"id": "sess_1"}, None),
    ],
)
def test_a_session_shows_its_dialect(session: dict[str, Any], dialect: Dialect | None) -> None:
    event = from_wire(json.dumps({"type": "session.created", "session": session}))
    assert isinstance(event, SessionCreated)
    assert dialect_of(event.session) is dialect
