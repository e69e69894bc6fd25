"""What a client may send to the local server and what it is told when it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_cli.server.core.effects import Listen, StartReply
from realtime_cli.server.core.facts import ClientMessage
from realtime_cli.server.listening.endpointing import EAGERNESS
from tests.local_core_driver import SECOND, Driver, types

MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}


@pytest.mark.parametrize("text", ["", "hello", "[]", "3", '{"type":'])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    (event,) = Driver().tell(ClientMessage(text))
    assert event["error"]["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "type"),
        ({"type": 3}, "invalid_value", "type"),
        ({"type": "response.begin"}, "invalid_value", "type"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": 3}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.commit", "now": True}, "unknown_parameter", "now"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        ({"type": "conversation.item.create", "item": {}}, "missing_required_parameter", "item.type"),
        ({"type": "conversation.item.create", "item": {"type": "poem"}}, "invalid_value", "item.type"),
        ({"type": "conversation.item.create", "item": {"type": "message"}}, "missing_required_parameter", "item.role"),
        ({"type": "conversation.item.create", "item": {**MESSAGE, "role": "bot"}}, "invalid_value", "item.role"),
        (
            {"type": "conversation.item.create", "item": {**MESSAGE, "role": "assistant"}},
            "invalid_value",
            "item.content[0].type",
        ),
        (
            {"type": "conversation.item.create", "item": {**MESSAGE, "content": [{"type": "input_text"}]}},
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            {"type": "conversation.item.create", "item": {**MESSAGE, "content": [{"type": "input_text", "text": 3}]}},
            "invalid_value",
            "item.content[0].text",
        ),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "noon"}},
            "missing_required_parameter",
            "item.call_id",
        ),
        (
            {"type": "conversation.item.create", "item": MESSAGE, "previous_item_id": "nobody"},
            "item_not_found",
            "previous_item_id",
        ),
        ({"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
        ({"type": "conversation.item.delete", "item_id": "nobody"}, "item_delete_invalid_item_id", "item_id"),
        ({"type": "response.create", "response": {"temperature": 1}}, "unknown_parameter", "response.temperature"),
        (
            {"type": "response.create", "response": {"output_modalities": ["text", "audio"]}},
            "invalid_value",
            "response.output_modalities",
        ),
        (
            {"type": "response.create", "response": {"max_output_tokens": 0}},
            "integer_below_min_value",
            "response.max_output_tokens",
        ),
        (
            {"type": "response.create", "response": {"metadata": {str(n): "x" for n in range(17)}}},
            "invalid_value",
            "response.metadata",
        ),
        (
            {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "nobody"}]}},
            "item_not_found",
            "response.input[0].id",
        ),
    ],
)
def test_a_malformed_event_is_refused_by_code_and_path(body: dict[str, Any], code: str, param: str) -> None:
    driver = Driver()
    (event,) = driver.tell(ClientMessage(json.dumps({**body, "event_id": "mine"})))
    error = event["error"]
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({}, "missing_required_parameter", "session.type"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"type": "realtime", "temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ({"type": "realtime", "modalities": ["text"]}, "unknown_parameter", "session.modalities"),
        ({"type": "realtime", "output_modalities": ["text", "audio"]}, "invalid_value", "session.output_modalities"),
        ({"type": "realtime", "max_output_tokens": 2**31}, "integer_above_max_value", "session.max_output_tokens"),
        ({"type": "realtime", "tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        (
            {"type": "realtime", "audio": {"output": {"speed": 9}}},
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        (
            {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        (
            {
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": -1}}},
            },
            "integer_below_min_value",
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}},
            "unknown_parameter",
            "session.audio.input.turn_detection.threshold",
        ),
    ],
)
def test_a_bad_update_is_refused_and_changes_nothing(session: dict[str, Any], code: str, param: str) -> None:
    driver = Driver()
    before = driver.events[0]["session"]
    assert driver.refused("session.update", session={"instructions": "Be brief.", **session}) == (code, param)
    assert driver.update()[0]["session"] == before


def test_updates_merge_and_null_clears() -> None:
    driver = Driver()
    driver.update(instructions="Be brief.", audio={"input": {"transcription": {"model": "whisper-1"}}})
    (event,) = driver.update(
        audio={"input": {"transcription": {"language": "en"}, "turn_detection": {"threshold": 0.7}}}
    )
    session = event["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en"}
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
    assert session["audio"]["input"]["turn_detection"]["prefix_padding_ms"] == 300
    (event,) = driver.update(instructions=None, audio={"input": {"transcription": None, "turn_detection": None}})
    assert event["session"]["instructions"] == ""
    assert event["session"]["audio"]["input"]["transcription"] is None
    assert event["session"]["audio"]["input"]["turn_detection"] is None


def test_an_update_that_does_not_concern_listening_leaves_the_ear_alone() -> None:
    driver = Driver()
    count = len([effect for effect in driver.effects if isinstance(effect, Listen)])
    driver.update(instructions="Be brief.")
    assert len([effect for effect in driver.effects if isinstance(effect, Listen)]) == count
    driver.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}})
    assert driver.last(Listen).endpointing is not None
    assert driver.last(Listen).endpointing.meaning == EAGERNESS["low"]


def test_the_voice_is_fixed_once_it_was_heard() -> None:
    driver = Driver()
    driver.update(audio={"output": {"voice": "marin"}})
    driver.text("Hello.")
    driver.send("response.create")
    driver.replied(("Hi.", SECOND))
    session = {"type": "realtime", "instructions": "x", "audio": {"output": {"voice": "cedar"}}}
    assert driver.refused("session.update", session=session) == ("cannot_update_voice", "session.audio.output.voice")
    (event,) = driver.update(audio={"output": {"voice": "marin", "speed": 1.2}})
    assert event["session"]["instructions"] == ""
    assert event["session"]["audio"]["output"]["speed"] == 1.2


def test_all_that_clients_of_the_agents_sdks_send_is_taken() -> None:
    driver = Driver()
    (event,) = driver.update(
        model="gpt-realtime",
        instructions="Be brief.",
        output_modalities=["audio"],
        audio={
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": None,
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "semantic_vad"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash", "speed": 1},
        },
        tools=[],
        tool_choice="auto",
        prompt=None,
        tracing=None,
        max_output_tokens="inf",
    )
    assert event["type"] == "session.updated"
    assert event["session"]["model"] == "local"
    assert types(driver.update(tracing="auto")) == ["session.updated"]
    assert types(driver.send("response.create", event_id="event_1")) == ["response.created"]


def test_a_response_overrides_the_session_for_itself_alone() -> None:
    driver = Driver()
    driver.update(instructions="Be brief.")
    driver.text("Hello.")
    override = {
        "instructions": "Be long.",
        "output_modalities": ["audio"],
        "audio": {"output": {"format": {"type": "audio/pcmu"}, "voice": "cedar"}},
        "max_output_tokens": 7,
        "metadata": None,
    }
    (event,) = driver.send("response.create", response=override)
    start = driver.last(StartReply)
    assert event["response"]["audio"]["output"] == {"format": {"type": "audio/pcmu"}, "voice": "cedar"}
    assert (start.messages[0].text, start.max_tokens) == ("Be long.", 7)
    assert start.voice is not None
    assert (start.voice.name, start.voice.audio_format) == ("cedar", "audio/pcmu")
    driver.replied(("Hi.", SECOND[:1600]))
    done = [event for event in driver.events if event["type"] == "response.output_audio.delta"]
    assert len(done) == 1
    driver.send("response.create")
    assert driver.last(StartReply).messages[0].text == "Be brief."


def test_an_items_id_is_taken_only_once() -> None:
    driver = Driver()
    driver.text("Hello.", id="mine")
    assert driver.refused("conversation.item.create", item={**MESSAGE, "id": "mine"}) == ("invalid_value", "item.id")
