"""The local server's responses, driven by lists of facts; every event is checked against the official SDK's types."""

from __future__ import annotations

import base64

from realtime_cli.server.core.effects import (
    CancelReply,
    Listen,
    StartReply,
    Voice,
)
from realtime_cli.server.core.facts import (
    ReplyFailed,
    ReplyPiece,
    ServerFailed,
)
from realtime_cli.server.engines.interface import Message
from realtime_cli.server.listening.endpointing import SpeechStarted
from tests.local_core_driver import COMMITTED, OPENED, SECOND, SPOKEN_END, WRITTEN_END, Driver, of_type, replying, types


def test_a_session_opens_with_its_defaults_and_listens_as_they_say() -> None:
    driver = Driver()
    assert types(driver.events) == ["session.created"]
    session = driver.events[0]["session"]
    assert session["object"] == "realtime.session"
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["input"]["transcription"] is None
    assert driver.last(Listen).endpointing is not None


def test_a_text_turn_has_the_remote_services_order() -> None:
    driver = Driver()
    driver.update(output_modalities=["text"])
    assert types(driver.text("Say hello.")) == ["conversation.item.added", "conversation.item.done"]
    events = driver.send("response.create") + driver.replied(("Hel", b""), ("lo.", b""))
    assert types(events) == [*OPENED, *["response.output_text.delta"] * 2, *WRITTEN_END]
    assert of_type(events, "response.output_text.done")["text"] == "Hello."
    response = of_type(events, "response.done")["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "Hello."}]
    assert response["usage"]["output_token_details"] == {"text_tokens": 2, "audio_tokens": 0}
    assert driver.last(StartReply).voice is None


def test_a_voice_turn_has_the_remote_services_order() -> None:
    driver = Driver()
    driver.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    events = driver.spoken_turn("Hello.") + driver.replied(("Hi. ", SECOND[:24_000]), ("Bye.", SECOND[:9_600]))
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        *OPENED,
        "response.output_audio_transcript.delta",
        *["response.output_audio.delta"] * 3,
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        *SPOKEN_END,
    ]
    started, user = events[0], of_type(events[:5], "conversation.item.done")["item"]
    assert started["item_id"] == user["id"]
    assert user["content"] == [{"type": "input_audio", "transcript": None}]
    sound = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
    assert sound == SECOND[:33_600]
    usage = of_type(events, "response.done")["response"]["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 10
    assert usage["output_token_details"]["audio_tokens"] == 14


def test_nobody_asked_for_a_transcript_so_none_is_sent_but_the_model_reads_the_words() -> None:
    driver = Driver()
    events = driver.spoken_turn("What is two plus two?")
    assert not any("transcription" in kind for kind in types(events))
    assert driver.last(StartReply).messages == (Message("user", "What is two plus two?"),)
    assert driver.last(StartReply).voice == Voice("alloy", 1.0, "audio/pcm")


def test_a_barge_in_cancels_the_response_and_closes_what_it_began() -> None:
    driver = replying()
    events = driver.tell(SpeechStarted(2000))
    assert types(events) == ["input_audio_buffer.speech_started", *SPOKEN_END]
    response = of_type(events, "response.done")["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert driver.last(CancelReply).response_id == "resp_1"
    assert driver.tell(ReplyPiece("resp_1", "Late.", SECOND)) == []


def test_a_barge_in_after_the_last_delta_cancels_nothing() -> None:
    driver = replying()
    driver.replied()
    assert types(driver.tell(SpeechStarted(2000))) == ["input_audio_buffer.speech_started"]


def test_a_client_that_decides_itself_is_neither_answered_nor_interrupted() -> None:
    driver = Driver()
    turn = {"type": "server_vad", "create_response": False, "interrupt_response": False}
    driver.update(audio={"input": {"turn_detection": turn}})
    assert "response.created" not in types(driver.spoken_turn("Hello."))
    driver.send("response.create")
    driver.tell(ReplyPiece("resp_1", "Hi. ", SECOND))
    assert types(driver.tell(SpeechStarted(2000))) == ["input_audio_buffer.speech_started"]
    assert driver.core.handle(ReplyPiece("resp_1", "There.", SECOND), 0.0) != []


def test_only_one_response_at_a_time_in_the_conversation() -> None:
    driver = replying()
    assert driver.refused("response.create") == ("conversation_already_has_active_response", None)


def test_a_cancelled_response_closes_what_it_began() -> None:
    driver = replying()
    events = driver.send("response.cancel")
    assert types(events) == SPOKEN_END
    assert events[-2]["response"]["status_details"]["reason"] == "client_cancelled"
    assert driver.refused("response.cancel") == ("response_cancel_not_active", None)
    assert driver.refused("response.cancel", response_id="resp_1") == ("response_cancel_not_active", None)


def test_a_response_cancelled_before_its_first_word_has_no_output() -> None:
    driver = Driver()
    driver.send("response.create")
    events = driver.send("response.cancel", response_id="resp_1")
    assert types(events) == ["response.done", "rate_limits.updated"]
    assert events[0]["response"]["output"] == []


def test_a_response_that_reached_its_limit_is_incomplete() -> None:
    driver = Driver()
    driver.update(output_modalities=["text"])
    driver.text("Tell me a story.")
    driver.send("response.create", response={"max_output_tokens": 2})
    assert driver.last(StartReply).max_tokens == 2
    done = of_type(driver.replied(("Once", b""), (" upon", b""), cut_off=True), "response.done")
    assert done["response"]["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}


def test_a_failed_response_is_done_with_its_error() -> None:
    driver = replying()
    events = driver.tell(ReplyFailed("resp_1", "the voice failed"))
    assert types(events) == SPOKEN_END
    assert events[-2]["response"]["status"] == "failed"
    assert events[-2]["response"]["status_details"]["error"]["message"] == "the voice failed"


def test_a_failure_of_the_server_itself_is_an_error_event() -> None:
    (event,) = Driver().tell(ServerFailed("the ear is gone"))
    assert event["error"] == {
        "type": "server_error",
        "code": "server_error",
        "message": "the ear is gone",
        "param": None,
        "event_id": None,
    }


def test_an_out_of_band_response_leaves_no_trace_in_the_conversation() -> None:
    driver = replying()
    events = driver.send(
        "response.create",
        response={
            "conversation": "none",
            "output_modalities": ["text"],
            "metadata": {"topic": "mood"},
            "instructions": "One word.",
            "input": [
                {"type": "item_reference", "id": "item_1"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "The mood?"}]},
            ],
        },
    )
    assert events[0]["response"]["metadata"] == {"topic": "mood"}
    assert events[0]["response"].get("conversation_id") is None
    start = driver.last(StartReply)
    assert [message.text for message in start.messages] == ["One word.", "Hello.", "The mood?"]
    events += driver.replied(("Calm.", b""))
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    driver.tell(ReplyPiece("resp_1", "Still here.", SECOND))
    assert driver.refused(
        "conversation.item.retrieve", item_id=of_type(events, "response.output_item.done")["item"]["id"]
    )
