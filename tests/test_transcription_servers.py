"""What servers leave out, refuse and shape in their own way, as a transcription takes it."""

from __future__ import annotations

import json

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    Send,
    Speak,
)
from realtime_cli.conversation.records import (
    Ended,
    Notice,
    Transcribed,
    Trouble,
)
from realtime_cli.protocol.client_events import SessionUpdate
from realtime_cli.protocol.dialects import Dialect, to_wire
from tests.scripted_talk import TRANSCRIPTION
from tests.transcription_driver import BODY, Driver, sent, speech


def test_a_server_that_shows_another_dialect_is_answered_in_that() -> None:
    beta = {"turn_detection": None, "type": "transcription"}
    driver = Driver(session_otherwise={Dialect.BETA: beta})
    driver.tell(f.Opened())
    effects = driver.says("transcription_session.created", session={"id": "s", "input_audio_format": "pcm16"})
    assert effects[0] == Speak(Dialect.BETA)
    (update,) = [it.event for it in effects if isinstance(it, Send)]
    assert isinstance(update, SessionUpdate)
    assert update.session == beta


@pytest.mark.parametrize("named", ["nothing", "transcripts", "commits"])
def test_a_server_may_leave_ids_out(named: str) -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id if named == "commits" else "")
    for item_id in ("a", "b"):
        known = item_id if named == "transcripts" else ""
        driver.says(f"{TRANSCRIPTION}.delta", item_id=known, content_index=0, delta=item_id)
        driver.completed(known, f"{item_id}!")
    assert [(it.text, it.start_ms, it.end_ms) for it in driver.records(Transcribed)] == [
        ("a!", 0, 5000),
        ("b!", 5000, 9000),
    ]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_a_transcript_may_come_in_the_item_and_is_told_once_if_it_comes_again() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.says("input_audio_buffer.speech_stopped", item_id="", audio_end_ms=0)
    driver.says("input_audio_buffer.committed", item_id="")
    item = {"id": "a", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "hello"}]}
    driver.says("conversation.item.created", item=item)
    driver.says("conversation.item.done", item=item)
    driver.completed("a", "hello")
    driver.wait()
    assert driver.texts == ["hello"]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_a_commit_without_an_id_is_that_of_the_speech_that_ended() -> None:
    driver = Driver()
    driver.begin()
    speech(driver, "a", 100)
    driver.says("input_audio_buffer.committed", item_id="")
    driver.completed("a", "hello")
    assert driver.records(Transcribed) == [Transcribed(item_id="a", text="hello", start_ms=100, end_ms=1100)]
    assert driver.core.deadline is None


WISHES = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "m"},
            "noise_reduction": None,
            "turn_detection": {"type": "server_vad"},
        }
    },
}


def test_a_session_that_is_refused_without_an_event_id_is_tried_leaner_and_then_given_up_in_one_line() -> None:
    driver = Driver(session=WISHES)
    driver.begin()
    refusal = {"type": "invalid_request_error", "message": "2 validation errors for Session:\n  page\n  of text"}
    (lean,) = sent(driver.says("error", error=refusal))
    assert lean == {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "m"}, "turn_detection": {"type": "server_vad"}}},
    }
    (notice,) = driver.records(Notice)
    assert notice.text == (
        "the server refuses some options (2 validation errors for Session): going on without format, noise_reduction"
    )
    driver.says("error", error=refusal)
    (trouble,) = driver.records(Trouble)
    assert trouble.message.startswith("the server refuses an option: 2 validation errors for Session: ")
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=2)]


def test_a_beta_server_that_knows_only_session_update_gets_one() -> None:
    flat = {"type": "transcription", "input_audio_transcription": {"model": "m"}, "turn_detection": None}
    driver = Driver(session=flat)
    driver.tell(f.Opened())
    driver.says("transcription_session.created", session={"id": "sess_1"})
    unknown = {"message": "Unknown event type: transcription_session.update", "type": "invalid_request_error"}
    (bare,) = sent(driver.says("error", error=unknown))
    assert bare == {"input_audio_transcription": {"model": "m"}, "turn_detection": None}
    assert json.loads(to_wire(SessionUpdate(session=bare), Dialect.BETA))["type"] == "session.update"
    (lean,) = sent(driver.says("error", error=unknown))
    assert lean == {"input_audio_transcription": {"model": "m"}}
    driver.says("error", error=unknown)
    assert "no transcription sessions" in driver.records(Trouble)[0].message


def test_a_session_that_is_refused_without_an_event_id_and_cannot_be_leaner_is_no_endless_wait() -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"message": "bad session"})
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=2)]
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("session.updated", session=BODY)
    driver.says("error", error={"message": "a hiccup"})
    assert driver.records(Ended) == []


def test_a_server_without_transcription_sessions_is_said_to_have_none() -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"code": "invalid_value", "param": "session.type", "message": "Use realtime."})
    assert "no transcription sessions" in driver.records(Trouble)[0].message
    assert driver.records(Ended)[0].exit_code == 2


def test_an_error_in_answer_to_the_marker_says_that_all_was_heard() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("session.updated", session=BODY)
    speech(driver, "a", 100)
    driver.completed("a", "words")
    driver.tell(f.Fed())
    driver.says("error", error={"type": "invalid_request_error", "message": "the session cannot be changed now"})
    driver.wait()
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_a_refused_commit_is_owed_no_transcript() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Fed())
    driver.says("error", error={"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty"})
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]
