"""The user's turns at the local server: the input buffer, recognition, push-to-talk, silence."""

from __future__ import annotations

import dataclasses

import pytest

from realtime_cli.server.core.effects import (
    Anticipate,
    DropTranscription,
    Forget,
    Hear,
    Hurry,
    Listen,
    Span,
    StartReply,
    Transcribe,
)
from realtime_cli.server.core.facts import (
    Tick,
    Transcribed,
    TranscriptionFailed,
)
from realtime_cli.server.engines.interface import Message
from realtime_cli.server.listening.endpointing import MaybeEnded, Resumed, SpeechStarted, SpeechStopped
from tests.local_core_driver import COMMITTED, SECOND, Driver, types


def test_recognition_starts_at_the_first_short_silence_and_is_not_repeated() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(100), MaybeEnded(700))
    assert driver.last(Transcribe) == Transcribe(1, Span(100, 700), suspected=True)
    events = driver.tell(SpeechStopped(1000))
    assert types(events) == ["input_audio_buffer.speech_stopped", *COMMITTED]
    assert driver.last(Transcribe).job == driver.last(Hurry).job == 1
    assert driver.last(Forget).before_ms == 1000
    assert types(driver.tell(Transcribed(1, "Hello."))) == ["response.created"]


def test_recognition_is_thrown_away_when_the_speech_goes_on() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(100), MaybeEnded(500), Resumed())
    assert driver.last(DropTranscription).job == 1
    driver.tell(Transcribed(1, "Hel"), MaybeEnded(900))
    assert driver.last(Transcribe) == Transcribe(2, Span(100, 900), suspected=True)
    driver.tell(Transcribed(2, "Hello you."), SpeechStopped(1000))
    assert not any(isinstance(effect, Hurry) for effect in driver.effects)
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


def test_a_reply_to_what_was_perhaps_said_is_begun_before_the_end_is_sure() -> None:
    driver = Driver()
    driver.update(instructions="Be brief.")
    driver.append()
    driver.tell(SpeechStarted(0), MaybeEnded(700))
    assert driver.said("What time is it?") == []
    begun = driver.last(Anticipate).reply
    assert begun.messages == (Message("system", "Be brief."), Message("user", "What time is it?"))
    driver.tell(SpeechStopped(1000))
    assert driver.last(StartReply) == dataclasses.replace(begun, response_id="resp_1")


def test_a_reply_begun_too_early_goes_with_the_recognition_that_it_was_for() -> None:
    driver = Driver()
    driver.append()
    driver.tell(SpeechStarted(0), MaybeEnded(700))
    driver.said("What time")
    driver.tell(Resumed())
    assert driver.last(DropTranscription).job == driver.last(Anticipate).job


def test_while_a_reply_is_made_no_other_one_is_begun() -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}})
    driver.spoken_turn("What time is it?")
    driver.tell(SpeechStarted(2000), MaybeEnded(2700))
    driver.said("And the date?")
    assert len([effect for effect in driver.effects if isinstance(effect, Anticipate)]) == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"create_response": True}, ""), ({"create_response": False}, "What time is it?")],
    ids=["nothing said", "no answer due"],
)
def test_nothing_is_begun_for_a_turn_that_will_not_be_answered(changes: dict[str, bool], text: str) -> None:
    driver = Driver()
    driver.update(audio={"input": {"turn_detection": {"type": "server_vad", **changes}}})
    driver.append()
    driver.tell(SpeechStarted(0), MaybeEnded(700))
    driver.said(text)
    assert not [effect for effect in driver.effects if isinstance(effect, Anticipate)]
