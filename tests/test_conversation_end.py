"""How a conversation ends: failures, servers that fall silent, lost devices, and the exit codes."""

from __future__ import annotations

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import AssistantSaid, Ended, Notice, Trouble
from realtime_cli.errors import AudioError
from tests.conversation_driver import HELLO, Drive, done, reply, said, user_turn


def test_a_failed_response_ends_a_single_turn_with_1_and_is_told() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"), f.InputsEnded())
    details = {"type": "failed", "error": {"code": "insufficient_quota", "message": "You are out of credit."}}
    drive.tell(said("response.created", response={"id": "resp_1"}), done(status="failed", status_details=details))
    assert "You are out of credit: add credit" in drive.shown(Trouble)[0].message
    assert drive.exit_code == 1


def test_an_incomplete_response_is_a_failed_turn() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"), f.InputsEnded())
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    drive.tell(said("response.created", response={"id": "resp_1"}), done(status="incomplete", status_details=details))
    assert "--max-output-tokens" in drive.shown(Trouble)[0].message
    assert drive.exit_code == 1


@pytest.mark.parametrize("code", ["response_cancel_not_active", "input_audio_buffer_commit_empty"])
def test_a_harmless_error_is_not_shown_and_ends_nothing(code: str) -> None:
    drive = Drive().tell(HELLO, said("error", error={"type": "invalid_request_error", "code": code, "message": "x"}))
    assert drive.shown(Trouble) == []
    assert drive.exit_code is None


def test_a_fatal_error_ends_with_4() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect API key provided."}
    drive = Drive().tell(f.Opened(), said("error", error=error))
    assert drive.exit_code == 4


def test_a_file_microphone_ends_the_chat_after_its_last_turn_was_answered_and_heard() -> None:
    drive = Drive().tell(HELLO, *user_turn()[:1], f.MicEnded(), at=1.0)
    assert drive.core.deadline == 11.0
    drive.tell(*user_turn()[1:], *reply(), done(), at=2.0)
    drive.tell(f.Tick(), at=60.0)
    assert drive.exit_code is None
    drive.tell(f.Heard("item_a", 0, 2000, finished=True), at=61.0)
    assert drive.core.deadline == 64.0
    drive.tell(f.Tick(), at=64.0)
    assert drive.exit_code == 0


def test_a_server_that_opens_no_session_is_given_up() -> None:
    drive = Drive().tell(f.Opened(), at=5.0)
    assert drive.core.deadline == 20.0
    drive.tell(f.Tick(), at=20.0)
    assert drive.exit_code == 4


def test_a_server_that_owes_an_answer_and_falls_silent_is_given_up() -> None:
    drive = Drive(listens=False, server_decides_turns=False, answer_timeout_s=30.0).tell(HELLO, f.Typed("hi"), at=5.0)
    drive.tell(f.Tick(), at=15.0)
    assert "--answer-timeout" in drive.shown(Notice)[0].text
    assert drive.core.deadline == 35.0
    drive.tell(f.Tick(), at=35.0)
    assert drive.exit_code == 1


def test_an_end_in_the_middle_of_a_reply_tells_what_was_heard_of_it() -> None:
    drive = Drive().tell(
        HELLO, *user_turn(), *reply(), f.Heard("item_a", 0, 1000, finished=False), f.Quit(exit_code=130)
    )
    (reply_said,) = drive.shown(AssistantSaid)
    assert (reply_said.heard_ms, reply_said.interrupted) == (1000, True)
    assert drive.shown(Ended)[0].reason == "interrupted"
    assert drive.exit_code == 130


def test_a_lost_device_ends_with_its_own_exit_code() -> None:
    drive = Drive().tell(HELLO, f.Failed(AudioError("the microphone is gone", "plug it in")))
    assert drive.exit_code == 5
    assert drive.shown(Trouble)[0].message == "the microphone is gone: plug it in"


def test_nothing_is_done_after_the_end() -> None:
    drive = Drive().tell(HELLO, f.Quit())
    before = len(drive.effects)
    drive.tell(*user_turn(), *reply(), f.Failed(AudioError("x")))
    assert len(drive.effects) == before
