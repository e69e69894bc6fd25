"""What today's clients send to the local server and what they rely on in its answers."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from realtime_cli.protocol.items import Content, Item
from realtime_cli.server.core import input_buffer, items
from realtime_cli.server.core.effects import CloseConnection, Hear, StartReply, Transcribe
from realtime_cli.server.core.facts import CallPiece, ReplyFinished, ReplyPiece, Tick
from realtime_cli.server.engines.interface import Ended, Function, FunctionCall, Message, Tools
from realtime_cli.server.listening.endpointing import SpeechStarted, SpeechStopped
from tests.local_core_driver import SECOND, Driver, of_type, types

PICTURE = "data:image/png;base64,iVBORw0KGgo="
CLOCK = {"type": "function", "name": "clock", "description": "The time.", "parameters": {"type": "object"}}
MAP = {"type": "function", "name": "map", "parameters": {"type": "object"}}


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(content)}


def test_where_the_service_sends_null_there_is_a_null() -> None:
    driver = Driver()
    events = driver.spoken_turn("Hello.")
    assert of_type(events, "input_audio_buffer.committed")["previous_item_id"] is None
    for kind in ("conversation.item.added", "conversation.item.done"):
        told = of_type(events, kind)
        assert told["previous_item_id"] is None
        assert told["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    (found,) = driver.send("conversation.item.retrieve", item_id=events[0]["item_id"])
    assert found["item"]["content"] == [{"type": "input_audio", "transcript": "Hello."}]
    created = of_type(events, "response.created")["response"]
    assert created["status_details"] is created["metadata"] is created["usage"] is None
    (event,) = driver.send("response.cancel", response_id="nobody")
    assert event["error"]["param"] is event["error"]["event_id"] is None


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"type": "semantic_vad", "eagerness": None, "model_version": "v2"}, {"eagerness": "auto"}),
        ({"type": "semantic_vad", "model_version": None}, {"type": "semantic_vad"}),
        ({"type": "server_vad", "threshold": None, "model_version": "default"}, {"threshold": 0.5}),
        ({"silence_duration_ms": None, "idle_timeout_ms": None}, {"silence_duration_ms": 500, "idle_timeout_ms": None}),
        ({"create_response": None, "interrupt_response": None}, {"create_response": True, "interrupt_response": True}),
    ],
)
def test_turn_detection_takes_what_the_agents_sdks_pass_on(change: dict[str, Any], kept: dict[str, Any]) -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}})
    (event,) = driver.update(audio={"input": {"turn_detection": change}})
    shown = event["session"]["audio"]["input"]["turn_detection"]
    assert {name: shown[name] for name in kept} == kept
    assert "model_version" not in shown


def test_the_strength_of_noise_reduction_comes_with_or_without_its_kind() -> None:
    driver = Driver()

    def kept(change: dict[str, Any] | None) -> Any:
        (event,) = driver.update(audio={"input": {"noise_reduction": change}})
        return event["session"]["audio"]["input"]["noise_reduction"]

    assert kept({"strength": 1}) == {"strength": 1.0}
    assert kept({"type": "near_field"}) == {"type": "near_field", "strength": 1.0}
    assert kept({"type": "far_field", "strength": 2.5}) == {"type": "far_field", "strength": 2.5}
    assert kept(None) is None


def test_more_output_tokens_than_the_schema_has_are_taken() -> None:
    driver = Driver()
    (event,) = driver.update(max_output_tokens=32_000)
    assert event["session"]["max_output_tokens"] == 32_000
    driver.send("response.create")
    assert driver.last(StartReply).max_tokens == 32_000


def test_a_picture_is_given_to_the_model() -> None:
    driver = Driver()
    content = {"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PICTURE}
    (added, _) = driver.send("conversation.item.create", item=user(*content))
    assert added["item"]["content"][1] == {"type": "input_image", "image_url": PICTURE}
    driver.send("response.create")
    assert driver.last(StartReply).messages == (Message("user", "What is this?", (PICTURE,)),)
    assert driver.refused(
        "conversation.item.create", item=user({"type": "input_image", "image_url": "http://192.168.1.1/"})
    ) == ("invalid_value", "item.content[0].image_url")


def test_a_users_past_words_come_without_their_audio() -> None:
    driver = Driver()
    (added, _) = driver.send("conversation.item.create", item=user({"type": "input_audio", "transcript": "Hello."}))
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": "Hello."}]
    driver.send("conversation.item.create", item=user({"type": "input_audio"}))
    driver.send("response.create")
    assert driver.last(StartReply).messages == (Message("user", "Hello."),)


def test_what_a_reply_says_of_a_language_model_is_counted_by_the_model_where_it_counts() -> None:
    driver = Driver()
    driver.text("Hello.")
    driver.send("response.create", response={"output_modalities": ["text"]})
    response_id = driver.last(StartReply).response_id
    counted = Ended(read_tokens=40, cached_tokens=30, written_tokens=7)
    events = driver.tell(ReplyPiece(response_id, "Hi."), ReplyFinished(response_id, False, counted))
    usage = of_type(events, "response.done")["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (40, 7, 47)
    assert usage["input_token_details"]["cached_tokens"] == 30


def called(driver: Driver) -> list[dict[str, Any]]:
    """The model says a word and makes two calls."""
    driver.update(tools=[CLOCK, MAP], output_modalities=["text"])
    driver.text("When and where?")
    events = driver.send("response.create")
    response_id = driver.last(StartReply).response_id
    return events + driver.tell(
        ReplyPiece(response_id, "Let me look."),
        CallPiece(response_id, "call_a", "clock", ""),
        CallPiece(response_id, "call_a", "clock", '{"zone": '),
        CallPiece(response_id, "call_a", "clock", '"UTC"}'),
        CallPiece(response_id, "call_b", "map", ""),
        CallPiece(response_id, "call_b", "map", "{}"),
        ReplyFinished(response_id),
    )


def test_several_calls_of_a_response_are_items_of_their_own_with_their_arguments_in_pieces() -> None:
    events = called(Driver())
    call_end = [
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    call_begin = ["response.output_item.added", "conversation.item.added", "response.function_call_arguments.delta"]
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        *call_begin,
        "response.function_call_arguments.delta",
        *call_end,
        *call_begin,
        *call_end,
        "response.done",
        "rate_limits.updated",
    ]
    output = events[-2]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    assert [(item["name"], item["call_id"], item["arguments"]) for item in output[1:]] == [
        ("clock", "call_a", '{"zone": "UTC"}'),
        ("map", "call_b", "{}"),
    ]
    indexes = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert indexes == [0, 1, 2]


def test_a_model_reads_its_calls_with_their_outputs_right_behind() -> None:
    driver = Driver()
    called(driver)
    offered = Tools((Function("clock", "The time.", {"type": "object"}), Function("map", "", {"type": "object"})))
    assert driver.last(StartReply).tools == offered
    driver.send(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "call_b", "output": "here"}
    )
    driver.text("Well?")
    driver.send(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "call_a", "output": "noon"}
    )
    driver.send("response.create", response={"tool_choice": "none"})
    calls = FunctionCall("call_a", "clock", '{"zone": "UTC"}'), FunctionCall("call_b", "map", "{}")
    assert driver.last(StartReply).messages == (
        Message("user", "When and where?"),
        Message("assistant", "Let me look.", calls=calls),
        Message("tool", "noon", call_id="call_a"),
        Message("tool", "here", call_id="call_b"),
        Message("user", "Well?"),
    )
    assert driver.last(StartReply).tools.choice == "none"


def test_a_call_that_was_never_answered_and_an_output_without_a_call_do_not_confuse_the_model() -> None:
    driver = Driver()
    called(driver)
    driver.send(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "call_x", "output": "lost"}
    )
    driver.send("response.create")
    read = driver.last(StartReply).messages
    assert not any(message.calls or message.role == "tool" for message in read)
    assert read[-1] == Message("system", "A function returned: lost")


def test_a_choice_of_tools_reaches_the_model() -> None:
    driver = Driver()
    driver.update(tools=[CLOCK], tool_choice={"type": "function", "name": "clock"}, parallel_tool_calls=False)
    driver.text("When?")
    driver.send("response.create")
    tools = driver.last(StartReply).tools
    assert (tools.choice, tools.named, tools.parallel) == ("required", "clock", False)
    driver.send("response.cancel")
    driver.send("response.create", response={"tool_choice": "required"})
    assert driver.last(StartReply).tools.choice == "required"
    driver.send("response.cancel")
    choice = {"tool_choice": {"type": "function", "name": "map"}}
    assert driver.refused("response.create", response=choice) == ("invalid_value", "response.tool_choice")


def test_an_answer_that_must_call_a_function_which_is_not_there_is_an_error_and_not_asked_for_again() -> None:
    driver = Driver()
    driver.update(tools=[CLOCK], tool_choice={"type": "function", "name": "map"})
    events = driver.spoken_turn("Hello.")
    assert [event["type"] for event in events if event["type"] in ("error", "response.created")] == ["error"]
    assert driver.send("input_audio_buffer.clear")[0]["type"] == "input_audio_buffer.cleared"


def test_a_call_cut_off_by_the_user_is_incomplete() -> None:
    driver = Driver()
    driver.update(tools=[CLOCK])
    driver.spoken_turn("When?")
    response_id = driver.last(StartReply).response_id
    driver.tell(CallPiece(response_id, "call_a", "clock", ""), CallPiece(response_id, "call_a", "clock", '{"zo'))
    events = driver.send("response.cancel")
    item = of_type(events, "response.output_item.done")["item"]
    assert (item["status"], item["arguments"]) == ("incomplete", '{"zo')
    assert of_type(events, "response.done")["response"]["output"] == [item]


def test_the_input_buffer_does_not_grow_for_ever_without_turn_detection() -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": None}})
    minute = base64.b64encode(60 * SECOND).decode()
    for _ in range(input_buffer.MOST_HELD_S // 60):
        assert driver.send("input_audio_buffer.append", audio=minute) == []
    heard = sum(isinstance(effect, Hear) for effect in driver.effects)
    assert driver.refused("input_audio_buffer.append", audio=minute) == ("input_audio_buffer_full", "audio")
    assert driver.send("input_audio_buffer.append", audio=minute) == []
    assert sum(isinstance(effect, Hear) for effect in driver.effects) == heard
    driver.send("input_audio_buffer.commit")
    assert driver.send("input_audio_buffer.append", audio=minute) == []
    assert sum(isinstance(effect, Hear) for effect in driver.effects) == heard + 1


def test_speech_that_never_ends_becomes_a_turn() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0))
    minute = base64.b64encode(60 * SECOND).decode()
    events: list[dict[str, Any]] = []
    for _ in range(input_buffer.MOST_SPEECH_S // 60):
        events += driver.send("input_audio_buffer.append", audio=minute)
    assert types(events)[:2] == ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
    assert isinstance(driver.last(Transcribe), Transcribe)


def test_an_id_that_was_announced_for_speech_may_be_taken_by_the_client_meanwhile() -> None:
    driver = Driver()
    driver.append()
    (started,) = driver.tell(SpeechStarted(0))
    driver.text("Mine.", id=started["item_id"])
    events = driver.tell(SpeechStopped(900))
    assert of_type(events, "input_audio_buffer.committed")["item_id"] != started["item_id"]


def message(number: int) -> items.Entry:
    return items.Entry(Item(id=f"mine_{number}", type="message", role="user", content=(Content(text="x" * 100),)))


def test_a_long_conversation_keeps_only_its_newest_items() -> None:
    kept = items.Items()
    for number in range(items.MOST_ITEMS + 5):
        kept.add(message(number))
        kept.shorten()
    assert len(kept) == items.MOST_ITEMS
    assert "mine_4" not in kept
    assert "mine_5" in kept
    assert 1 < len(kept.readable()) <= items.CONTEXT_CHARS // 100
    assert kept.previous_id(kept.find("mine_1000")) == "mine_999"


def test_what_the_model_reads_stays_the_newest_when_old_items_are_deleted_or_put_in_between() -> None:
    kept = items.Items(context_chars=1400)
    for number in range(40):
        kept.add(message(number))
        kept.shorten()
    read = [entry.id for entry in kept.readable()]
    kept.delete("mine_0")
    kept.add(message(100), "root")
    kept.add(message(101), "mine_3")
    assert [entry.id for entry in kept.readable()] == read
    kept.add(message(102), read[0])
    assert [entry.id for entry in kept.readable()] == [read[0], "mine_102", *read[1:]]


def test_a_session_ends_when_its_time_is_over() -> None:
    driver = Driver(lifetime_s=60.0, expires_at=1_800_000_000)
    assert driver.events[0]["session"]["expires_at"] == 1_800_000_000
    assert driver.core.deadline == 60.0
    driver.spoken_turn("Hello.")
    driver.now = 60.0
    events = driver.tell(Tick())
    assert types(events) == ["response.done", "rate_limits.updated", "error"]
    assert events[-1]["error"]["code"] == "session_expired"
    assert "1 minute." in events[-1]["error"]["message"]
    assert driver.last(CloseConnection) == CloseConnection(1001, "invalid_request_error.session_expired")
    assert driver.send("response.create") == []


def test_a_session_ends_when_nothing_comes_any_more() -> None:
    driver = Driver(idle_s=30.0)
    driver.now = 20.0
    driver.text("Hello.")
    assert driver.core.deadline == 50.0
    driver.send("response.create")
    assert driver.core.deadline is None
    driver.replied(("Hi.", b""))
    driver.now = 50.0
    assert [event["error"]["code"] for event in driver.tell(Tick())] == ["session_idle"]


def test_a_session_may_begin_with_settings_of_its_own() -> None:
    driver = Driver(settings={"instructions": "Be brief.", "audio": {"output": {"voice": "marin"}}})
    session = driver.events[0]["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "marin",
        "speed": 1.0,
    }
