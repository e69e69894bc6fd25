"""A session that comes to its age limit: another one takes its place in a pause."""

from __future__ import annotations

from typing import Any

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from tests.continuity_driver import GONE, ConnectedDrive, transcript
from tests.conversation_driver import done, reply, said


def expiring(in_s: float, at_wall_s: float = 1000.0, number: int = 1) -> Any:
    session = {"id": f"sess_{number}", "model": "m", "type": "realtime", "expires_at": at_wall_s + in_s}
    return said("session.created", session=session)


class Expiring(ConnectedDrive):
    """A conversation whose first session lasts ten minutes."""

    def __init__(self) -> None:
        super().__init__(hello=expiring(600.0))

    def open_standby(self) -> int:
        """Let time pass until the next session is ready; its connection's number."""
        self.tell(f.Tick(), at=self.core.deadline)
        (connect,) = [x for x in self.effects if isinstance(x, e.Connect)][-1:]
        assert connect.standby
        self.mark = len(self.effects)
        for fact in (f.Opened(1480.0), expiring(600.0, 1480.0, 2), said("session.updated")):
            self.tell(f.OnStandby(connect.epoch, fact))
        return connect.epoch


def test_before_a_session_ends_another_takes_its_place_in_a_pause() -> None:
    call = Expiring().turn("Hello.", 1).answer("Hi.", 1)
    epoch = call.open_standby()
    assert call.now == 480.0
    setup, *rest = [x for x in call.since if not isinstance(x, e.Show)]
    assert isinstance(setup, e.Send)
    assert setup.epoch == epoch
    assert setup.event.type == "session.update"
    assert rest[0] == e.Use(epoch)
    assert call.told == ["session.update", "user: Hello.", "assistant: Hi.", "microphone 1"]
    assert call.states == ["renewed"]
    call.turn("Still there?", 9)
    assert call.core.deadline is not None


def test_a_session_is_not_renewed_while_somebody_speaks_or_is_heard() -> None:
    call = Expiring()
    call.tell(said("input_audio_buffer.speech_started", item_id="u"))
    epoch = call.open_standby()
    assert e.Use(epoch) not in call.effects
    call.tell(said("input_audio_buffer.speech_stopped", item_id="u"), said("input_audio_buffer.committed", item_id="u"))
    call.tell(transcript("u", "Hello."))
    call.tell(*reply("r", "a", seconds=1, text="Hi."))
    call.tell(done("r"))
    assert e.Use(epoch) not in call.effects
    call.tell(f.Heard("a", 0, 1000, finished=True))
    assert e.Use(epoch) in call.effects
    assert call.told[-3:] == ["user: Hello.", "assistant: Hi.", "microphone 1"]


def test_a_session_that_ends_while_another_stands_by_is_a_lost_connection() -> None:
    call = Expiring()
    call.tell(said("input_audio_buffer.speech_started", item_id="u"))
    epoch = call.open_standby()
    call.lose()
    assert e.Drop(epoch) in call.since
    assert call.regain().states[-1] == "restored"


def test_a_session_in_advance_that_cannot_be_had_is_tried_again_later() -> None:
    call = Expiring()
    call.tell(f.Tick(), at=call.core.deadline)
    (connect,) = [x for x in call.effects if isinstance(x, e.Connect)]
    call.tell(f.OnStandby(connect.epoch, f.Lost(GONE)))
    assert e.Drop(connect.epoch) in call.effects
    assert call.core.deadline == call.now + 15.0
    assert call.states == []


def test_a_sleep_brings_the_end_of_a_session_nearer() -> None:
    call = Expiring()
    assert call.core.deadline == 480.0
    call.tell(f.Slept(100.0))
    assert call.core.deadline == 400.0
