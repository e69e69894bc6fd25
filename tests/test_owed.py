"""What is owed in the conversation core: responses that stall, fail or die, and turns that get no answer."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    Ended,
    Notice,
    Phase,
    Trouble,
    UsageReported,
    UserSaid,
)
from tests.conversation_driver import HELLO, SECOND, Drive, done, reply, said, user_turn


def typed(**options: Any) -> Drive:
    """One typed turn whose response has begun, and nobody to type more."""
    drive = Drive(listens=False, server_decides_turns=False, **options)
    return drive.tell(HELLO, f.Typed("hi"), f.InputsEnded(), said("response.created", response={"id": "resp_1"}))


def plays(drive: Drive) -> int:
    return sum(isinstance(x, e.Play) for x in drive.effects)


def error(message: str = "No.", **fields: Any) -> Any:
    return said("error", error={"type": "invalid_request_error", "code": "some_code", "message": message, **fields})


def transcript(item: str, text: str) -> Any:
    return said("conversation.item.input_audio_transcription.completed", item_id=item, transcript=text)


def test_audio_of_a_response_that_was_interrupted_is_not_played_even_after_its_end() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), said("input_audio_buffer.speech_started", item_id="v"))
    drive.tell(done(status="cancelled"))
    before = plays(drive)
    late = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0, "delta": SECOND}
    drive.tell(said("response.output_audio.delta", **late), *reply()[1:])
    assert plays(drive) == before
    assert drive.core.snapshot().phase is Phase.HEARING


def test_an_interruption_before_the_first_sound_of_a_reply_counts_none_of_its_words_as_heard() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), *reply(seconds=0))
    drive.tell(said("input_audio_buffer.speech_started", item_id="v"))
    assert drive.sent[-1] == {"type": "conversation.item.delete", "item_id": "item_a"}
    assert [(x.text, x.heard_ms, x.interrupted) for x in drive.shown(AssistantSaid)] == [("", 0, True)]


def test_an_interruption_of_a_written_reply_keeps_its_words() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), said("response.created", response={"id": "r"}))
    ids = {"response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0}
    drive.tell(said("response.output_text.delta", **ids, delta="Good day"), f.StopReply())
    assert [(x.text, x.heard_ms, x.interrupted) for x in drive.shown(AssistantSaid)] == [("Good day", None, True)]
    assert "conversation.item.delete" not in drive.sent_types


def test_an_error_in_the_middle_of_a_response_after_which_nothing_comes_fails_the_turn_within_seconds() -> None:
    drive = typed().tell(error("It broke."), at=1.0)
    assert [x.message for x in drive.shown(Trouble)] == ["It broke."]
    assert drive.exit_code is None
    assert drive.core.deadline == 6.0
    drive.tell(f.Tick(), at=6.0)
    assert drive.exit_code == 1


def test_an_error_in_the_middle_of_a_response_that_goes_on_fails_nothing() -> None:
    drive = typed().tell(error("A trifle."), at=1.0).tell(*reply(seconds=0)[1:], at=2.0)
    assert (drive.core.deadline or 0) > 10.0
    assert drive.tell(done(), at=20.0).exit_code == 0


def test_a_chat_goes_on_after_a_response_that_an_error_ended() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), *reply(), error("It broke."), at=1.0)
    drive.tell(f.Heard("item_a", 0, 2000, finished=True), f.Tick(), at=6.0)
    assert [(x.text, x.interrupted) for x in drive.shown(AssistantSaid)] == [("Hello there friend", True)]
    assert drive.core.snapshot().phase is Phase.LISTENING
    drive.tell(*user_turn("item_v"), *reply("resp_2", "item_b"), at=10.0)
    assert drive.core.snapshot().phase is Phase.SPEAKING


def test_speech_that_has_no_end_when_the_microphone_has_ended_is_given_up_and_said() -> None:
    drive = Drive().tell(HELLO, *user_turn()[:1], at=1.0).tell(f.MicEnded(), at=5.0)
    assert drive.core.deadline == 15.0
    drive.tell(f.Tick(), at=15.0)
    assert "end of what was said" in drive.shown(Trouble)[0].message
    drive.tell(f.Tick(), at=18.0)
    assert drive.exit_code == 1


def test_a_stalled_turn_has_an_end_when_nobody_can_say_more() -> None:
    drive = Drive().tell(HELLO, f.Typed("hi"), f.InputsEnded(), at=1.0)
    drive.tell(f.Tick(), at=11.0)
    drive.tell(f.Tick(), at=61.0)
    assert drive.exit_code == 1
    assert "60 s" in drive.shown(Trouble)[0].message


def test_a_noise_that_gets_no_answer_does_not_end_a_chat() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), at=1.0)
    drive.tell(f.Tick(), at=11.0)
    drive.tell(f.Tick(), at=61.0)
    assert drive.exit_code is None
    assert drive.shown(Trouble) == []
    assert drive.core.snapshot().phase is Phase.LISTENING
    drive.tell(*user_turn("item_v"), *reply(), at=100.0)
    assert drive.core.snapshot().phase is Phase.SPEAKING


def test_the_empty_transcript_of_a_noise_clears_only_what_is_owed_to_that_noise() -> None:
    drive = Drive(max_turns=1).tell(HELLO, *user_turn("noise"), *user_turn("real"), transcript("noise", " "))
    assert drive.core.snapshot().phase is Phase.THINKING
    assert drive.exit_code is None
    drive.tell(transcript("real", "Hello?"), *reply(), done(), f.Heard("item_a", 0, 2000, finished=True))
    assert (drive.exit_code, [x.text for x in drive.shown(UserSaid)]) == (0, ["", "Hello?"])
    alone = Drive().tell(HELLO, *user_turn("noise"), transcript("noise", ""))
    assert alone.core.snapshot().phase is Phase.LISTENING


def test_a_refused_setting_does_not_fail_the_reply_that_is_owed() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"), f.InputsEnded())
    drive.tell(said("session.updated", session={"type": "realtime"}))
    drive.tell(error("Unknown parameter.", code="unknown_parameter", param="session.audio.input.foo"))
    assert drive.exit_code is None
    assert drive.shown(Trouble)[0].message == "Unknown parameter."
    assert drive.tell(*reply(seconds=0), done()).exit_code == 0


def test_a_server_that_is_slow_to_answer_is_waited_for_with_a_notice_as_long_as_the_setting_says() -> None:
    drive = typed(answer_timeout_s=120.0)
    drive.tell(f.Tick(), at=10.0)
    (notice,) = drive.shown(Notice)
    assert "10 s" in notice.text
    assert "120 s" in notice.text
    drive.tell(f.Tick(), at=70.0)
    assert drive.exit_code is None
    assert drive.tell(*reply(seconds=0)[1:], done(), at=71.0).exit_code == 0
    assert len(drive.shown(Notice)) == 1


def test_a_failed_turn_in_the_middle_is_the_exit_code_of_several_written_turns() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("one"), f.Typed("two"))
    drive.tell(said("response.created", response={"id": "resp_1"}), done(status="failed"), f.InputsEnded())
    assert drive.exit_code is None
    assert drive.tell(*reply("resp_2", seconds=0), done("resp_2")).exit_code == 1


def test_a_reply_that_the_server_cancels_by_itself_is_interrupted_and_the_turn_has_failed() -> None:
    drive = typed(plays=False).tell(*reply(seconds=0)[1:], done(status="cancelled"))
    assert [(x.text, x.interrupted) for x in drive.shown(AssistantSaid)] == [("Hello there friend", True)]
    assert "cancelled" in drive.shown(Trouble)[0].message
    assert drive.exit_code == 1


def test_a_reply_that_failed_is_told_before_the_error_that_explains_it() -> None:
    drive = typed().tell(*reply(seconds=0)[1:], f.Quit(130))
    kinds = [type(x.record) for x in drive.effects if isinstance(x, e.Show)]
    assert kinds[-2:] == [AssistantSaid, Ended]


@pytest.mark.parametrize("named_at_last", [True, False])
def test_pieces_without_an_items_id_belong_to_one_reply_which_is_shown_once(named_at_last: bool) -> None:
    drive = typed()
    place = {"response_id": "resp_1", "output_index": 0, "content_index": 0}
    drive.tell(
        said("response.output_audio_transcript.delta", **place, delta="Good "),
        said("response.output_audio_transcript.delta", **place, delta="day."),
        said("response.output_audio_transcript.done", **place, transcript="Good day."),
    )
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Good day."}]}
    if named_at_last:
        message["id"] = "item_a"
        drive.tell(said("response.output_item.done", response_id="resp_1", output_index=0, item=message))
    drive.tell(done(output=[message]))
    assert "".join(x.text for x in drive.shown(AssistantDelta)) == "Good day."
    assert [x.text for x in drive.shown(AssistantSaid)] == ["Good day."]


def test_an_interruption_truncates_by_the_id_that_the_server_told_late() -> None:
    drive = Drive(transcribes_user=False).tell(HELLO, *user_turn(), said("response.created", response={"id": "resp_1"}))
    place = {"response_id": "resp_1", "output_index": 0, "content_index": 0}
    drive.tell(said("response.output_audio.delta", **place, delta=SECOND))
    drive.tell(said("response.output_item.added", response_id="resp_1", item={"id": "item_a", "type": "message"}))
    (play,) = (x for x in drive.effects if isinstance(x, e.Play))
    drive.heard = {play.item_id: 300}
    drive.tell(f.StopReply())
    assert drive.sent[-1] == {
        "type": "conversation.item.truncate",
        "item_id": "item_a",
        "content_index": 0,
        "audio_end_ms": 300,
    }


def test_a_turn_whose_id_comes_after_its_commit_is_one_turn() -> None:
    drive = Drive().tell(HELLO, said("input_audio_buffer.committed"), transcript("item_u", "Hello?"))
    user = {"id": "item_u", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    drive.tell(said("conversation.item.added", item=user))
    assert [x.text for x in drive.shown(UserSaid)] == ["Hello?"]
    assert drive.core.snapshot().lines == ()


def test_a_response_that_another_one_overtakes_is_over() -> None:
    drive = Drive(plays=False, transcribes_user=False).tell(HELLO, *user_turn(), *reply("r1", "a1"))
    drive.tell(*reply("r2", "a2"), done("r2"))
    assert [x.item_id for x in drive.shown(AssistantSaid)] == ["a1", "a2"]
    assert drive.core.snapshot().phase is Phase.LISTENING
    before = len(drive.shown(AssistantSaid))
    drive.tell(done("r1"), *reply("r1", "a3")[1:])
    assert len(drive.shown(AssistantSaid)) == before


def test_the_end_waits_for_the_answer_to_what_interrupted_the_last_reply() -> None:
    drive = Drive(max_turns=2, transcribes_user=False, plays=False).tell(HELLO, *user_turn("u1"), *reply("r1", "a1"))
    drive.tell(*user_turn("u2"), done("r1", status="cancelled"))
    assert drive.exit_code is None
    assert drive.tell(*reply("r2", "a2"), done("r2")).exit_code == 0


# Servers whose voice detection is always on


def recorded() -> Drive:
    """A recording is on its way to such a server."""
    drive = Drive(listens=False, server_decides_turns=False, detection_always_on=True, plays=False)
    return drive.tell(HELLO, f.Spoken("a.wav"), f.InputsEnded()).tell(f.Fed(), at=1.0)


def test_a_recording_is_followed_by_silence_and_the_servers_own_turn_is_awaited() -> None:
    drive = recorded()
    assert [x.duration_ms for x in drive.effects if isinstance(x, e.FeedSilence)] == [2000]
    assert drive.sent_types == ["session.update"]
    assert drive.exit_code is None
    drive.tell(*user_turn(), transcript("item_u", "Hello?"), *reply(), done(), at=2.0)
    assert (drive.exit_code, drive.sent_types) == (0, ["session.update"])


def test_a_recording_with_a_pause_makes_two_turns_of_which_the_cut_reply_is_interrupted() -> None:
    drive = recorded().tell(*user_turn("u1"), *reply("r1", "a1"), *user_turn("u2")[:1], done("r1", status="cancelled"))
    drive.tell(*user_turn("u2")[1:], transcript("u1", "One"), transcript("u2", "two."))
    assert drive.exit_code is None
    drive.tell(*reply("r2", "a2"), done("r2"), at=3.0)
    assert [(x.item_id, x.interrupted) for x in drive.shown(AssistantSaid)] == [("a1", True), ("a2", False)]
    assert drive.exit_code == 0


def test_a_recording_in_which_the_server_hears_nobody_is_no_success() -> None:
    drive = recorded().tell(f.Tick(), at=11.0)
    drive.tell(f.Tick(), at=61.0)
    assert drive.exit_code == 1


def test_no_latency_is_negative() -> None:
    drive = Drive(listens=False, server_decides_turns=False, detection_always_on=True, plays=False)
    drive.tell(HELLO, f.Spoken("a.wav"), f.InputsEnded(), *user_turn(), *reply())
    drive.tell(f.Fed(), at=5.0).tell(done(), at=5.5)
    (report,) = drive.shown(UsageReported)
    assert (report.first_text_ms, report.done_ms) == (None, 500)


def test_the_talk_key_sends_such_a_server_silence_and_never_clears_or_commits() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False, detection_always_on=True).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Released())
    assert any(isinstance(x, e.FeedSilence) for x in drive.effects)
    assert drive.core.snapshot().phase is Phase.THINKING
    drive.heard = {"microphone": 10}
    drive.tell(f.Pressed(), f.Released(), f.Pressed(), f.StopReply())
    assert {"input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"}.isdisjoint(drive.sent_types)
