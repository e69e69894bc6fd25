"""Interruptions in the conversation core: what is cut off at what was heard, deleted, or cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import AssistantSaid, Phase
from tests.conversation_driver import HELLO, SECOND, Drive, done, reply, said, user_turn


def test_an_interruption_truncates_at_what_was_heard_and_late_deltas_die() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 700}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    plays = sum(isinstance(x, e.Play) for x in drive.effects)
    drive.tell(*reply()[2:], done(status="cancelled"))
    assert drive.sent[1:] == [
        {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 700}
    ]
    assert sum(isinstance(x, e.Play) for x in drive.effects) == plays
    (reply_said,) = drive.shown(AssistantSaid)
    assert reply_said.interrupted
    assert reply_said.heard_ms == 700
    assert "Hello there friend".startswith(reply_said.text)
    assert len(reply_said.text) < len("Hello there friend")


def test_an_interruption_after_the_response_is_done_still_truncates() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), done())
    drive.heard = {"item_a": 1500}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent_types == ["session.update", "conversation.item.truncate"]


def test_a_truncation_never_exceeds_what_was_received() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(seconds=1))
    drive.heard = {"item_a": 5000}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent[-1]["audio_end_ms"] == 1000


def test_a_reply_of_which_nothing_was_heard_is_deleted() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), done())
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent[-1] == {"type": "conversation.item.delete", "item_id": "item_a"}


def test_a_response_is_cancelled_only_where_the_server_does_not_do_it_and_only_while_active() -> None:
    drive = Drive(server_interrupts=False).tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 100}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent_types[1:] == ["response.cancel", "conversation.item.truncate"]
    after = Drive(server_interrupts=False).tell(HELLO, *user_turn(), *reply(), done())
    after.heard = {"item_a": 100}
    after.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert after.sent_types[1:] == ["conversation.item.truncate"]


def test_speech_while_nothing_is_going_on_interrupts_nothing() -> None:
    drive = Drive().tell(HELLO, said("input_audio_buffer.speech_started", item_id="item_u"))
    assert drive.sent_types == ["session.update"]
    assert not any(isinstance(x, e.Flush) for x in drive.effects)


def test_truncating_too_much_is_not_fatal_and_the_conversation_goes_on() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 700}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    event_id = next(x.event.event_id for x in drive.effects if isinstance(x, e.Send) and "truncate" in x.event.type)
    error = {"type": "invalid_request_error", "code": None, "message": "Audio content is already shorter than 700ms"}
    drive.tell(said("error", error={**error, "event_id": event_id}))
    assert drive.exit_code is None
    drive.tell(done(status="cancelled"), *user_turn("item_v")[1:], *reply("resp_2", "item_b"))
    assert drive.core.snapshot().phase is Phase.SPEAKING


def test_a_server_that_takes_no_cancel_is_sent_none_and_the_next_turn_waits_for_the_end_of_the_reply() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False, can_cancel=False).tell(HELLO, *reply(), at=1.0)
    drive.heard = {"item_a": 500, "microphone": 900}
    drive.tell(f.Pressed(), f.Released(), at=2.0)
    assert "response.cancel" not in drive.sent_types
    assert "response.create" not in drive.sent_types
    drive.tell(done())
    assert drive.sent_types[-1] == "response.create"


def test_a_server_that_takes_no_truncate_is_sent_none_and_the_user_is_told_what_was_heard_all_the_same() -> None:
    drive = Drive(can_truncate=False, transcribes_user=False).tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 0}
    drive.tell(*user_turn("item_v")[:1])
    drive.tell(done(status="cancelled"), *user_turn("item_v")[1:], *reply("resp_2", "item_b"))
    drive.heard = {"item_b": 700}
    drive.tell(*user_turn("item_w")[:1])
    assert {"conversation.item.truncate", "conversation.item.delete"}.isdisjoint(drive.sent_types)
    assert [(said.heard_ms, said.interrupted) for said in drive.shown(AssistantSaid)] == [(0, True), (700, True)]


def test_a_reply_without_ids_is_cancelled_without_one_and_never_truncated() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, said("response.created"))
    drive.tell(said("response.output_audio.delta", delta=SECOND))
    drive.tell(f.Pressed())
    (cancel,) = (sent for sent in drive.sent if sent["type"] == "response.cancel")
    assert "response_id" not in cancel
    assert {"conversation.item.truncate", "conversation.item.delete"}.isdisjoint(drive.sent_types)
    (told,) = drive.shown(AssistantSaid)
    assert told.interrupted


def test_a_key_that_stops_a_reply_cancels_it_truncates_it_as_heard_and_begins_no_turn() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 700}
    drive.tell(f.StopReply(), done(status="cancelled"))
    assert drive.sent_types[1:] == ["response.cancel", "conversation.item.truncate"]
    assert [(said.heard_ms, said.interrupted) for said in drive.shown(AssistantSaid)] == [(700, True)]
    assert drive.core.snapshot().phase is Phase.LISTENING
    before = len(drive.effects)
    assert drive.tell(f.StopReply()).effects[before:] == []


def test_a_reply_that_is_stopped_before_it_begins_is_cancelled_when_it_does() -> None:
    drive = Drive().tell(HELLO, *user_turn(), f.StopReply(), *reply())
    assert drive.sent_types[1:] == ["response.cancel"]
    assert not any(isinstance(x, e.Play) for x in drive.effects)


# Careful interruptions: speech pauses the voice, and it is decided what it was


def careful(**options: Any) -> Drive:
    """A reply of which 700 ms were heard when somebody speaks; the server neither interrupts nor answers by itself."""
    wanted = {"interruptions": "careful", "server_interrupts": False, "server_answers": False, "asks_for_answers": True}
    drive = Drive(**{**wanted, **options}).tell(HELLO, *user_turn(), *reply(), at=1.0)
    drive.heard = {"item_a": 700}
    return drive.tell(said("input_audio_buffer.speech_started", item_id="item_v", audio_start_ms=5000))


def stopped(length_ms: int) -> Any:
    """Behind what was said come 500 ms of silence, and before it stand 300 ms of padding."""
    return said("input_audio_buffer.speech_stopped", item_id="item_v", audio_end_ms=5000 + 300 + length_ms + 500)


def transcript(text: str) -> Any:
    return said("conversation.item.input_audio_transcription.completed", item_id="item_v", transcript=text)


COMMITTED = said("input_audio_buffer.committed", item_id="item_v")


def pauses(drive: Drive) -> list[str]:
    return [type(x).__name__ for x in drive.effects if isinstance(x, e.Pause | e.Resume | e.Flush)]


@pytest.mark.parametrize("words", ["Mm-hm.", "Yeah, okay.", "I see!", ""])
def test_assent_and_noises_pause_the_voice_and_are_taken_out_of_the_conversation(words: str) -> None:
    drive = careful()
    assert pauses(drive) == ["Pause"]
    drive.tell(stopped(600), COMMITTED, at=2.0).tell(transcript(words), at=2.5)
    assert pauses(drive) == ["Pause", "Resume"]
    assert drive.sent[-1] == {"type": "conversation.item.delete", "item_id": "item_v"}
    assert {"response.cancel", "conversation.item.truncate"}.isdisjoint(drive.sent_types)
    assert drive.sent_types.count("response.create") == 1
    assert drive.core.snapshot().totals.turns == 1
    drive.tell(done(), f.Heard("item_a", 0, 2000, finished=True), at=4.0)
    assert [line.item_id for line in drive.core.snapshot().lines] == ["item_u", "item_a"]


def test_words_that_are_no_assent_interrupt_at_the_paused_millisecond_and_are_answered() -> None:
    drive = careful().tell(stopped(600), COMMITTED, at=2.0).tell(transcript("No, stop!"), at=2.5)
    assert pauses(drive) == ["Pause", "Flush"]
    assert [event for event in drive.sent if "audio_end_ms" in event] == [
        {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 700}
    ]
    drive.tell(done(status="cancelled"), at=3.0)
    assert drive.sent_types.count("response.create") == 2


def test_speech_that_goes_on_interrupts_without_waiting_for_its_end() -> None:
    drive = careful()
    due = drive.core.deadline
    assert due is not None
    assert due <= 3.0
    drive.tell(f.Tick(), at=due)
    assert pauses(drive) == ["Pause", "Flush"]
    assert drive.sent_types[-2:] == ["response.cancel", "conversation.item.truncate"]
    drive.tell(done(status="cancelled"), stopped(4000), COMMITTED, at=5.0)
    assert drive.sent_types.count("response.create") == 2


def test_the_silence_that_ends_speech_is_no_part_of_its_length() -> None:
    drive = careful(silence_s=0.9).tell(
        said("input_audio_buffer.speech_stopped", item_id="item_v", audio_end_ms=5000 + 300 + 800 + 900), at=2.6
    )
    assert pauses(drive) == ["Pause"]
    drive.tell(COMMITTED, transcript("Uh-huh."), at=2.7)
    assert pauses(drive) == ["Pause", "Resume"]
    untimed = careful().tell(said("input_audio_buffer.speech_stopped", item_id="item_v"), at=2.6)
    assert pauses(untimed) == ["Pause"]


def test_an_assent_whose_end_is_told_late_because_of_a_long_silence_is_waited_for() -> None:
    assert careful(silence_s=2.0).core.deadline == pytest.approx(1.0 + 1.2 + 2.0 + 0.3)


@pytest.mark.parametrize(("length_ms", "goes_on"), [(300, True), (900, False)])
def test_without_a_transcript_the_length_decides(length_ms: int, goes_on: bool) -> None:
    drive = careful(transcribes_user=False).tell(stopped(length_ms), COMMITTED, at=2.0)
    assert pauses(drive) == ["Pause", "Resume" if goes_on else "Flush"]
    failed = careful().tell(stopped(length_ms), COMMITTED, at=2.0)
    assert pauses(failed) == ["Pause"]
    failed.tell(said("conversation.item.input_audio_transcription.failed", item_id="item_v"))
    assert pauses(failed) == ["Pause", "Resume" if goes_on else "Flush"]


@pytest.mark.parametrize("length_ms", [300, 900])
def test_assent_whose_transcript_comes_late_does_not_interrupt(length_ms: int) -> None:
    drive = careful().tell(stopped(length_ms), COMMITTED, at=2.0)
    drive.tell(f.Tick(), at=drive.core.deadline)
    assert pauses(drive) == ["Pause", "Resume"]
    drive.tell(transcript("Mm-hm."), at=6.0)
    assert pauses(drive) == ["Pause", "Resume"]
    assert drive.sent[-1] == {"type": "conversation.item.delete", "item_id": "item_v"}
    assert drive.sent_types.count("response.create") == 1


@pytest.mark.parametrize(("length_ms", "goes_on"), [(300, True), (900, False)])
def test_a_transcript_that_never_comes_leaves_it_to_the_length_in_the_end(length_ms: int, goes_on: bool) -> None:
    for word in (f.Tick(), said("conversation.item.input_audio_transcription.failed", item_id="item_v")):
        drive = careful().tell(stopped(length_ms), COMMITTED, at=2.0)
        drive.tell(f.Tick(), at=3.5).tell(word, at=12.0)
        assert pauses(drive) == ["Pause", "Resume", *([] if goes_on else ["Flush"])]
        drive.tell(done(status="cancelled"), at=13.0)
        assert drive.sent_types.count("response.create") == (1 if goes_on else 2)


def test_words_that_come_after_the_voice_went_on_interrupt_it_late() -> None:
    drive = careful().tell(stopped(300), COMMITTED, at=2.0)
    drive.tell(f.Tick(), at=3.5).tell(transcript("Stop."), at=5.0)
    assert pauses(drive) == ["Pause", "Resume", "Flush"]
    drive.tell(done(status="cancelled"), at=6.0)
    assert drive.sent_types.count("response.create") == 2


def test_a_turn_into_silence_is_answered_without_a_pause() -> None:
    drive = Drive(interruptions="careful", server_interrupts=False, server_answers=False, asks_for_answers=True)
    drive.tell(HELLO, *user_turn())
    assert (pauses(drive), drive.sent_types[-1]) == ([], "response.create")


def test_speech_never_interrupts_where_that_is_wanted_and_is_answered_after_the_reply() -> None:
    drive = careful(interruptions="never").tell(stopped(900), COMMITTED, at=2.0)
    assert (pauses(drive), drive.sent_types.count("response.create")) == ([], 1)
    drive.tell(done(), at=3.0)
    assert drive.sent_types.count("response.create") == 2
