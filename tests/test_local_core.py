"""The local server's protocol, driven by lists of facts; every event is checked against the official SDK's types."""

from __future__ import annotations

import base64

import pytest
from local_core_driver import SECOND, Driver, of_type, types

from realtime_cli.local.effects import (
    CancelReply,
    DropTranscription,
    Forget,
    Hear,
    Listen,
    Recording,
    Span,
    StartReply,
    Transcribe,
    Voice,
)
from realtime_cli.local.endpointing import MaybeEnded, Resumed, SpeechStarted, SpeechStopped
from realtime_cli.local.engines.interface import Message
from realtime_cli.local.facts import (
    ReplyFailed,
    ReplyPiece,
    ServerFailed,
    Tick,
    Transcribed,
    TranscriptionFailed,
)

COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
OPENED = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
SPOKEN_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
WRITTEN_END = ["response.output_text.done", *SPOKEN_END[2:]]


def replying() -> Driver:
    """A driver whose spoken response has said one sentence of half a second and is not done."""
    driver = Driver()
    driver.spoken_turn("Hello.")
    driver.tell(ReplyPiece("resp_1", "Hi there. ", SECOND[:24_000]))
    return driver


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
    assert user["content"] == [{"type": "input_audio"}]
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


def test_recognition_starts_at_the_first_short_silence_and_is_not_repeated() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(100), MaybeEnded(700))
    assert driver.last(Transcribe) == Transcribe(1, Span(100, 700))
    events = driver.tell(SpeechStopped(1000))
    assert types(events) == ["input_audio_buffer.speech_stopped", *COMMITTED]
    assert driver.last(Transcribe).job == 1
    assert driver.last(Forget).before_ms == 1000
    assert types(driver.tell(Transcribed(1, "Hello."))) == ["response.created"]


def test_recognition_is_thrown_away_when_the_speech_goes_on() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(100), MaybeEnded(500), Resumed())
    assert driver.last(DropTranscription).job == 1
    driver.tell(Transcribed(1, "Hel"), MaybeEnded(900))
    assert driver.last(Transcribe) == Transcribe(2, Span(100, 900))
    driver.tell(Transcribed(2, "Hello you."), SpeechStopped(1000))
    assert driver.last(StartReply).messages == (Message("user", "Hello you."),)


def test_a_failed_early_recognition_is_tried_again_at_the_end() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0), MaybeEnded(500), TranscriptionFailed(1, "no"), SpeechStopped(800))
    assert driver.last(Transcribe) == Transcribe(2, Span(0, 800))


def test_noise_becomes_an_item_with_an_empty_transcript_and_is_not_answered() -> None:
    driver = Driver()
    driver.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    events = driver.spoken_turn("")
    assert types(events)[-1] == "conversation.item.input_audio_transcription.completed"
    assert events[-1]["transcript"] == ""
    assert "response.created" not in types(events)


def test_push_to_talk_waits_for_the_words_before_the_model_starts() -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": None}})
    assert driver.last(Listen).endpointing is None
    driver.append()
    assert driver.last(Hear).audio == SECOND
    assert types(driver.send("input_audio_buffer.commit")) == COMMITTED
    assert types(driver.send("response.create")) == ["response.created"]
    assert not any(isinstance(effect, StartReply) for effect in driver.effects)
    driver.said("Hello.")
    assert driver.last(StartReply).messages == (Message("user", "Hello."),)
    assert types(driver.replied(("Hi.", SECOND)))[-1] == "rate_limits.updated"


def test_a_response_asked_for_after_silence_says_that_nothing_was_understood() -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": None}})
    driver.append()
    driver.send("input_audio_buffer.commit")
    driver.send("response.create")
    driver.said("")
    assert driver.last(StartReply).words == "Sorry, I did not catch that."


@pytest.mark.parametrize("held_ms", [0, 99])
def test_a_commit_of_less_than_100_ms_is_refused(held_ms: int) -> None:
    driver = Driver()
    driver.append(SECOND[: held_ms * 48])
    assert driver.refused("input_audio_buffer.commit") == ("input_audio_buffer_commit_empty", None)


def test_a_cleared_buffer_is_empty() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0), MaybeEnded(500))
    assert types(driver.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert driver.last(DropTranscription).job == 1
    assert driver.refused("input_audio_buffer.commit")[0] == "input_audio_buffer_commit_empty"


def test_a_commit_in_the_middle_of_speech_uses_the_id_that_was_announced() -> None:
    driver = Driver()
    driver.append()
    (started,) = driver.tell(SpeechStarted(200))
    events = driver.send("input_audio_buffer.commit")
    assert types(events) == COMMITTED
    assert events[0]["item_id"] == started["item_id"]
    assert driver.last(Transcribe).speech == Span(200, 1000)
    driver.said("Hello.")
    assert not any(isinstance(effect, StartReply) for effect in driver.effects)


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


def test_two_turns_in_a_row_get_one_answer_to_both() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0), SpeechStopped(500), SpeechStarted(600))
    assert driver.said("One.") == []
    driver.tell(SpeechStopped(1000))
    assert types(driver.said("Two.")) == ["response.created"]
    assert driver.last(StartReply).messages == (Message("user", "One."), Message("user", "Two."))


def test_noise_while_the_answer_is_due_does_not_lose_it() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0), SpeechStopped(500), SpeechStarted(600))
    driver.said("One.")
    driver.tell(SpeechStopped(1000))
    assert types(driver.said("")) == ["response.created"]


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


def test_a_failed_recognition_is_never_silent() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0), SpeechStopped(500))
    (event,) = driver.tell(TranscriptionFailed(1, "out of memory"))
    assert (event["type"], event["error"]["type"]) == ("error", "server_error")
    driver.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    driver.tell(SpeechStarted(600), SpeechStopped(900))
    (event,) = driver.tell(TranscriptionFailed(2, "out of memory"))
    assert event["type"] == "conversation.item.input_audio_transcription.failed"


def test_a_failure_of_the_server_itself_is_an_error_event() -> None:
    (event,) = Driver().tell(ServerFailed("the ear is gone"))
    assert event["error"] == {"type": "server_error", "code": "server_error", "message": "the ear is gone"}


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
    assert added["item"]["content"] == [{"type": "input_audio"}]
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
        ({"audio_end_ms": 2001}, ("invalid_value", "audio_end_ms")),
        ({"audio_end_ms": "1"}, ("invalid_value", "audio_end_ms")),
    ],
)
def test_a_truncation_of_what_is_not_there_is_refused(change: dict[str, object], refusal: tuple[str, str]) -> None:
    driver = Driver()
    asked = {"item_id": spoken_reply(driver), "content_index": 0, "audio_end_ms": 100}
    assert driver.refused("conversation.item.truncate", **{**asked, **change}) == refusal


def test_a_silence_as_long_as_the_idle_timeout_is_asked_about() -> None:
    driver = Driver()
    turn = {"type": "server_vad", "idle_timeout_ms": 5000}
    driver.update(audio={"input": {"turn_detection": turn}})
    assert driver.core.deadline is None
    driver.now = 10.0
    driver.spoken_turn("Hello.")
    driver.replied(("Hi.", SECOND))
    assert driver.core.deadline == pytest.approx(16.0)
    driver.append()
    assert driver.tell(Tick()) == []
    driver.now = 16.0
    events = driver.tell(Tick())
    assert types(events) == ["input_audio_buffer.timeout_triggered", *COMMITTED, "response.created"]
    assert (events[0]["audio_start_ms"], events[0]["audio_end_ms"]) == (1000, 2000)
    assert driver.last(StartReply).words == "Are you still there?"
    assert driver.core.deadline is None


def test_a_transcription_session_transcribes_and_never_answers() -> None:
    driver = Driver(kind="transcription")
    assert driver.events[0]["session"]["object"] == "realtime.transcription_session"
    transcription = {"model": "whisper-1", "language": "en"}
    driver.send(
        "session.update", session={"type": "transcription", "audio": {"input": {"transcription": transcription}}}
    )
    events = driver.spoken_turn("Hello.")
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert events[-1]["transcript"] == "Hello."
    assert driver.last(Transcribe).language == "en"
    assert driver.refused("response.create") == ("invalid_value", "type")
