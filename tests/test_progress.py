"""The line at the bottom of a terminal, and the sender that has to wait."""

from __future__ import annotations

import threading

from rich.cells import cell_len

from realtime_cli.conversation.records import Line, Phase, Snapshot
from realtime_cli.server.inbox import Inbox
from realtime_cli.view.progress import bar, being_said
from tests.waiting import PATIENCE_S


def said(text: str) -> Snapshot:
    return Snapshot(phase=Phase.HEARING, lines=(Line(item_id="a", role="user", text=text, pending=True),))


def test_a_bar_tells_the_share_and_the_times() -> None:
    assert bar("sending", 75_000, 180_000, 100) == f"sending {'━' * 12}{'─' * 18}  42% · 1:15 of 3:00"
    assert bar("sending", 3_600_000, 10_800_000, 100).endswith("1:00:00 of 3:00:00")
    assert "100%" in bar("sending", 9_000, 5_000, 100)


def test_a_narrow_window_gets_what_fits() -> None:
    for width in (1, 10, 40):
        assert len(bar("sending", 1000, 2000, width)) <= width
        assert cell_len(being_said(said("すべての人間は、生まれながらにして自由であり"), width)) <= width


def test_of_what_is_being_said_the_end_stays_in_sight() -> None:
    assert being_said(said("one two three"), 80) == "… one two three"
    assert being_said(said("one two three"), 9) == "… o three"
    assert being_said(Snapshot(phase=Phase.LISTENING), 80) == "[listening]"


def test_a_patient_sender_waits_while_it_is_held() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.hold(True)
    sender = threading.Thread(target=inbox.put, args=("audio", True))
    sender.start()
    inbox.put("a result")
    assert inbox.get(PATIENCE_S) == "a result"
    assert inbox.get(0.05) is None
    inbox.hold(False)
    assert inbox.get(PATIENCE_S) == "audio"
    sender.join(PATIENCE_S)


def test_closing_lets_a_held_sender_go() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.hold(True)
    sender = threading.Thread(target=inbox.put, args=("audio", True))
    sender.start()
    inbox.close()
    sender.join(PATIENCE_S)
    assert not sender.is_alive()
