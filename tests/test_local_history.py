"""What the local server remembers of the conversation, and what its model reads."""

from __future__ import annotations

import base64

import pytest

from realtime_cli.server.core.effects import (
    Prepare,
    Recording,
    StartReply,
    Transcribe,
)
from realtime_cli.server.core.facts import (
    ReplyPiece,
)
from realtime_cli.server.engines.interface import Message
from tests.local_core_driver import SECOND, Driver, of_type, replying, types


def test_items_keep_the_order_that_the_client_gives_them() -> None:
    driver = Driver()
    driver.text("two", id="b")
    (added, _) = driver.send(
        "conversation.item.create",
        previous_item_id="root",
        item={"id": "a", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "one"}]},
    )
    assert added.get("previous_item_id") is None
    (added, _) = driver.send(
        "conversation.item.create",
        previous_item_id="b",
        item={
            "id": "c",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "three"}],
        },
    )
    assert added["previous_item_id"] == "b"
    driver.send("response.create")
    assert driver.last(StartReply).messages == (
        Message("system", "one"),
        Message("user", "two"),
        Message("assistant", "three"),
    )
    assert types(driver.send("conversation.item.delete", item_id="b")) == ["conversation.item.deleted"]
    (found,) = driver.send("conversation.item.retrieve", item_id="c")
    assert found["item"]["content"] == [{"type": "output_text", "text": "three"}]
    assert driver.refused("conversation.item.retrieve", item_id="b") == ("item_retrieve_invalid_item_id", "item_id")


def test_audio_inside_an_item_is_recognised_before_the_model_reads_it() -> None:
    driver = Driver()
    content = [{"type": "input_audio", "audio": base64.b64encode(SECOND).decode()}]
    (added, _) = driver.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert driver.last(Transcribe).speech == Recording(SECOND, "audio/pcm")
    driver.send("response.create")
    driver.said("Hello.")
    assert driver.last(StartReply).messages == (Message("user", "Hello."),)


def test_a_tools_output_is_read_by_the_model() -> None:
    driver = Driver()
    driver.update(tools=[{"type": "function", "name": "clock", "parameters": {"type": "object"}}], tool_choice="auto")
    driver.send(
        "conversation.item.create",
        item={"type": "function_call", "name": "clock", "call_id": "call_1", "arguments": "{}"},
    )
    driver.send(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": "call_1", "output": "noon"},
    )
    driver.send("response.create")
    assert "noon" in driver.last(StartReply).messages[-1].text


def spoken_reply(driver: Driver) -> str:
    """A reply of two sentences, one second each; returns its item's id."""
    driver.spoken_turn("Hello.")
    events = driver.replied(("One two three four. ", SECOND), ("Five six seven eight.", SECOND))
    return str(of_type(events, "response.output_item.done")["item"]["id"])


@pytest.mark.parametrize(
    ("heard_ms", "words"),
    [
        (0, ""),
        (500, "One two"),
        (1000, "One two three four."),
        (1300, "One two three four. Five"),
        (2000, "One two three four. Five six seven eight."),
    ],
)
def test_a_truncated_item_forgets_what_was_not_heard(heard_ms: int, words: str) -> None:
    driver = Driver()
    item_id = spoken_reply(driver)
    (event,) = driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=heard_ms)
    assert event["type"] == "conversation.item.truncated"
    assert event["audio_end_ms"] == heard_ms
    driver.text("And then?")
    driver.send("response.create")
    messages = driver.last(StartReply).messages
    assert [message.text for message in messages if message.role == "assistant"] == ([words] if words else [])
    longer = {"item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms + 1}
    (event,) = driver.send("conversation.item.truncate", **longer)
    assert event["audio_end_ms"] == heard_ms
    longer["audio_end_ms"] = heard_ms + 21
    assert driver.refused("conversation.item.truncate", **longer) == ("invalid_value", "audio_end_ms")


def test_a_reply_truncated_before_it_is_cancelled_does_not_grow_back() -> None:
    driver = replying()
    item_id = of_type(driver.events, "response.output_item.added")["item"]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0)
    driver.tell(ReplyPiece("resp_1", "More of it.", SECOND))
    driver.send("response.cancel")
    (found,) = driver.send("conversation.item.retrieve", item_id=item_id)
    assert found["item"]["content"] == [{"type": "output_audio", "transcript": ""}]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"item_id": "nobody"}, ("item_truncate_invalid_item_id", "item_id")),
        ({"item_id": "item_1"}, ("invalid_value", "item_id")),
        ({"content_index": 1}, ("invalid_value", "content_index")),
        ({"audio_end_ms": -1}, ("integer_below_min_value", "audio_end_ms")),
        ({"audio_end_ms": 2021}, ("invalid_value", "audio_end_ms")),
        ({"audio_end_ms": "1"}, ("invalid_value", "audio_end_ms")),
    ],
)
def test_a_truncation_of_what_is_not_there_is_refused(change: dict[str, object], refusal: tuple[str, str]) -> None:
    driver = Driver()
    asked = {"item_id": spoken_reply(driver), "content_index": 0, "audio_end_ms": 100}
    assert driver.refused("conversation.item.truncate", **{**asked, **change}) == refusal


def test_a_reply_reads_the_whole_conversation_and_the_model_decides_what_helps_it() -> None:
    driver = Driver()
    for number in range(30):
        driver.text(f"This is the question that has the number {number}.")
        driver.send("response.create", response={"output_modalities": ["text"]})
        driver.replied((f"And this is the answer that has the number {number}.", b""))
    assert len(driver.last(StartReply).messages) == 59
    assert not any(isinstance(effect, Prepare) for effect in driver.effects)


def test_new_instructions_are_read_before_a_reply_is_asked_for() -> None:
    driver = Driver()
    driver.update(instructions="Be brief.")
    assert driver.last(Prepare).messages == (Message("system", "Be brief."),)
    count = len(driver.effects)
    driver.update(instructions="Be brief.")
    assert len(driver.effects) == count
