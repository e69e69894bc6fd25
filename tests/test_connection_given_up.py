"""Which lost connections are tried again, and when that is given up."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Trouble
from realtime_cli.errors import ConnectionFailed
from tests.continuity_driver import GONE, NO_KEY, NO_NAME, ConnectedDrive
from tests.conversation_driver import Drive, said


@pytest.mark.parametrize(("options", "error"), [({}, NO_KEY), ({"reconnect_s": 0.0}, GONE)])
def test_what_cannot_be_mended_is_not_tried_again(options: dict[str, Any], error: ConnectionFailed) -> None:
    call = ConnectedDrive(**options).lose(error)
    assert call.exit_code == 4
    assert str(error) in call.shown(Trouble)[0].message
    assert call.states == []


def test_a_key_that_is_refused_in_the_meantime_ends_it() -> None:
    call = ConnectedDrive().lose()
    call.until_tried()
    call.tell(f.Lost(NO_KEY))
    assert call.exit_code == 4


def test_a_connection_that_never_opened_a_session_is_not_tried_again() -> None:
    drive = Drive(reconnect_s=60.0).tell(f.Opened(), f.Lost(GONE))
    assert drive.exit_code == 4


def test_it_is_given_up_after_a_while_with_what_was_tried_last() -> None:
    call = ConnectedDrive().lose()
    while call.exit_code is None:
        call.tell(f.Tick(), at=call.core.deadline)
        if isinstance(call.effects[-1], e.Connect):
            call.tell(f.Lost(NO_NAME))
    assert call.exit_code == 4
    assert call.now <= 60.0
    assert "not regained within 60 s (--reconnect-s): the name example.org" in call.shown(Trouble)[-1].message
    assert call.states.count("lost") == 1
    assert call.states.count("retrying") > 5


def test_a_server_that_connects_and_says_nothing_counts_as_lost() -> None:
    call = ConnectedDrive(hello_timeout_s=15.0).lose()
    call.until_tried()
    call.tell(f.Opened(2.0))
    call.mark = len(call.effects)
    call.tell(f.Tick(), at=call.now + 15.0)
    assert any(isinstance(x, e.Drop) for x in call.since)
    assert call.regain().states[-1] == "restored"


def test_a_session_that_expired_is_a_lost_connection() -> None:
    call = ConnectedDrive().turn("Hello.", 1).answer("Hi.", 1)
    call.mark = len(call.effects)
    call.tell(said("error", error={"code": "session_expired", "message": "60 minutes"}))
    assert any(isinstance(x, e.Drop) for x in call.since)
    call.regain()
    assert call.told[:3] == ["session.update", "user: Hello.", "assistant: Hi."]
    assert call.states == ["lost", "retrying", "restored"]
