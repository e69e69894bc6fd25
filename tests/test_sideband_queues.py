"""Clients at the side of a call, in memory: one that takes nothing, one at its end, and one that sends too much."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from realtime_cli.server.connection import Ending
from realtime_cli.server.socket.admission import NotAllowed
from realtime_cli.server.webrtc import sideband as sideband_module
from realtime_cli.server.webrtc.client_messages import ClientMessages
from realtime_cli.server.webrtc.sideband import Sideband, Sidebands
from tests.waiting import PATIENCE_S


class Quiet:
    """A call that takes everything."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def from_side(self, message: str) -> None:
        self.got.append(message)

    def binary_from_side(self) -> None:
        """Nothing."""


def test_a_side_that_takes_nothing_is_let_go_with_what_waits_for_it_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sideband_module, "MOST_UNTAKEN", 100)
    gate, endings, taken = threading.Event(), SimpleQueue[Ending](), SimpleQueue[str]()
    sidebands = Sidebands(Quiet())

    def stall(_text: str) -> None:
        assert gate.wait(PATIENCE_S)

    slow, quick = sidebands.join(stall, endings.put), sidebands.join(taken.put, lambda _ending: None)
    for side in (slow, quick):
        side.begin("created")
    for number in range(100):
        sidebands.put(f"{number}" + "x" * 10)
        assert taken.get(timeout=PATIENCE_S) == ("created" if number == 0 else f"{number - 1}" + "x" * 10)
    assert endings.get(timeout=PATIENCE_S) == sideband_module.TOO_SLOW
    slow.receive("too late")
    gate.set()
    sidebands.end(Ending(1001, "over"))
    with pytest.raises(NotAllowed):
        sidebands.join(taken.put, endings.put)
    assert endings.empty()


def test_what_was_given_before_the_end_is_delivered_and_the_end_told_once() -> None:
    taken, endings = SimpleQueue[str](), SimpleQueue[Ending]()
    side = Sideband(Quiet(), taken.put, endings.put)
    side.put("before it has begun")
    side.begin("created")
    side.put("event")
    side.end(Ending(1001, "over"))
    side.end(Ending(1000, "again"))
    assert endings.get(timeout=PATIENCE_S) == Ending(1001, "over")
    side.close()
    side.put("after the end")
    assert [taken.get(timeout=PATIENCE_S) for _ in range(2)] == ["created", "event"]
    assert (taken.empty(), endings.empty()) == (True, True)


def test_a_side_that_floods_the_call_waits_and_the_call_goes_on() -> None:
    messages = ClientMessages(lambda work: work(), lambda: None, lambda _refused: None)
    sent = threading.Event()

    def flood() -> None:
        for _ in range(600):
            messages.from_side('{"type":"response.cancel"}')
        sent.set()

    threading.Thread(target=flood, daemon=True).start()
    assert messages.put({"type": "from the call"})
    assert not sent.wait(0.2)
    messages.close()
    assert sent.wait(PATIENCE_S)
