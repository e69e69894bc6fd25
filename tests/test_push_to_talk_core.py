"""Push-to-talk in the conversation core: what presses and releases send, and presses that are too short or too long."""

from __future__ import annotations

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import MicChanged, Notice
from tests.conversation_driver import HELLO, Drive, done, reply, said


def test_push_to_talk_commits_and_asks_when_the_key_is_released() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO)
    assert not any(isinstance(x, e.OpenMic) for x in drive.effects)
    drive.tell(f.Pressed())
    assert drive.core.snapshot().talking
    drive.heard = {"microphone": 900}
    drive.tell(f.Released())
    assert drive.sent_types[1:] == ["input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]


def test_a_press_before_the_session_is_there_counts_when_it_comes() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(f.Pressed(), HELLO)
    assert drive.core.snapshot().talking
    assert any(isinstance(x, e.OpenMic) for x in drive.effects)
    let_go = Drive(push_to_talk=True, server_decides_turns=False).tell(f.Pressed(), f.Released(), HELLO)
    assert not let_go.core.snapshot().talking


def test_a_second_press_without_a_release_sends_as_a_tap_does() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Pressed())
    assert drive.sent_types[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert not drive.core.snapshot().talking
    never_mind = Drive(push_to_talk=True, server_decides_turns=False).tell(f.Pressed(), f.Pressed(), HELLO)
    assert not never_mind.core.snapshot().talking


def test_the_microphone_is_being_opened_until_it_delivers() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    assert drive.core.snapshot().opening
    drive.tell(f.MicOpened())
    assert not drive.core.snapshot().opening
    drive.tell(f.Released(), f.MicOpened())
    assert [record.state for record in drive.shown(MicChanged)] == ["open", "closed"]


def test_a_press_that_lasts_too_long_is_ended_and_sent_and_the_next_one_starts_anew() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False, talk_limit_s=60.0).tell(HELLO, at=1.0)
    drive.tell(f.Pressed(), at=10.0)
    assert drive.core.deadline == 70.0
    drive.heard = {"microphone": 60_000}
    drive.tell(f.Tick(), at=69.9)
    assert drive.core.snapshot().talking
    drive.tell(f.Tick(), at=70.0)
    assert drive.sent_types[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert "60 s" in drive.shown(Notice)[0].text
    before = len(drive.effects)
    drive.tell(f.Released(), at=71.0)
    assert drive.effects[before:] == []
    drive.tell(f.Pressed(), at=72.0)
    assert drive.core.snapshot().talking


def test_a_press_too_short_for_speech_clears_instead_of_committing() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 99}
    drive.tell(f.Released())
    assert drive.sent_types[1:] == ["input_audio_buffer.clear", "input_audio_buffer.clear"]


def test_pressing_while_the_model_speaks_cancels_and_the_next_response_waits_for_the_end_of_the_first() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Released(), *reply())
    drive.heard = {"microphone": 900, "item_a": 400}
    drive.tell(f.Pressed(), f.Released())
    before = len(drive.sent)
    assert "response.cancel" in drive.sent_types
    assert drive.sent_types.count("response.create") == 1
    drive.tell(done(status="cancelled"))
    assert drive.sent_types[before:] == ["response.create"]


def test_a_response_that_was_asked_for_and_not_begun_is_cancelled_when_it_comes_after_a_press() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Released(), f.Pressed(), said("response.created", response={"id": "resp_1"}))
    assert drive.sent[-1] == {"type": "response.cancel", "response_id": "resp_1"}


def test_what_was_said_can_be_thrown_away_and_is_not_sent() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.StopReply())
    assert drive.sent_types[1:] == ["input_audio_buffer.clear", "input_audio_buffer.clear"]
    assert [notice.text for notice in drive.shown(Notice)] == ["nothing was sent"]
    assert not drive.core.snapshot().talking
    drive.tell(f.Released(), f.Pressed(), f.Released())
    assert drive.sent_types[-2:] == ["input_audio_buffer.commit", "response.create"]
