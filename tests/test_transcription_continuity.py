"""A transcription whose connection is lost, or whose session is renewed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    Connect,
    Effect,
    End,
    Feed,
    ResumeMic,
    Send,
    Use,
)
from realtime_cli.conversation.records import (
    ConnectionChanged,
    Transcribed,
)
from realtime_cli.protocol.client_events import SessionUpdate
from realtime_cli.protocol.dialects import from_wire
from tests.continuity_driver import GONE
from tests.scripted_talk import TRANSCRIPTION
from tests.transcription_driver import Driver


class Lasting(Driver):
    """A transcription whose connection the test can lose and give back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(reconnect_s=60.0, **options)
        self.begin()

    def speak(self, item_id: str, start_ms: int, end_ms: int) -> None:
        self.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=start_ms)
        self.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=end_ms)
        self.says("input_audio_buffer.committed", item_id=item_id)

    def lose_and_regain(self) -> list[Effect]:
        """What the new server is sent."""
        self.tell(f.Lost(GONE))
        while not any(isinstance(effect, Connect) for effect in self.wait()):
            pass
        self.tell(f.Opened())
        return self.says("session.created", session={"id": "sess_2", "type": "transcription"})


def lost_in_speech(start_ms: int, understood: str) -> tuple[Lasting, float]:
    """A microphone whose connection is lost after 30 s, in speech, and how many of them the new server hears again."""
    driver = Lasting()
    driver.tell(f.MicOpened())
    driver.now = 30.0
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=start_ms)
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta=understood)
    (resumed,) = [effect for effect in driver.lose_and_regain() if isinstance(effect, ResumeMic)]
    return driver, resumed.seconds


def test_a_recording_goes_on_where_it_was_written_down_with_times_that_are_right() -> None:
    driver = Lasting(recording="talk")
    driver.speak("a", 100, 1100)
    driver.completed("a", "one")
    driver.speak("b", 2000, 3000)
    driver.speak("c", 4000, 5000)
    driver.completed("c", "three, which nobody is told before two")
    setup, feed, *_ = driver.lose_and_regain()
    assert isinstance(setup, Send)
    assert isinstance(setup.event, SessionUpdate)
    assert feed == Feed("talk", cut=False, from_ms=1700)
    driver.speak("d", 300, 1300)
    driver.completed("d", "two")
    driver.speak("e", 2300, 3300)
    driver.completed("e", "three")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="a", text="one", start_ms=100, end_ms=1100),
        Transcribed(item_id="d", text="two", start_ms=2000, end_ms=3000),
        Transcribed(item_id="e", text="three", start_ms=4000, end_ms=5000),
    ]
    assert [record.state for record in driver.records(ConnectionChanged)] == ["lost", "retrying", "restored"]


def test_pieces_that_are_cut_here_are_cut_anew_from_where_nothing_is_known() -> None:
    driver = Lasting(recording="talk", server_cuts=False)
    driver.tell(f.Cut(0, 5000, has_speech=True))
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.completed("a", "one")
    driver.tell(f.Cut(5000, 9000, has_speech=True))
    effects = driver.lose_and_regain()
    assert Feed("talk", cut=True, from_ms=5000) in effects
    driver.tell(f.Cut(0, 4000, has_speech=True))
    driver.says("input_audio_buffer.committed", item_id="b")
    driver.completed("b", "two")
    assert driver.records(Transcribed)[-1] == Transcribed(item_id="b", text="two", start_ms=5000, end_ms=9000)


def test_a_microphone_goes_on_and_the_word_that_was_being_said_is_heard_again() -> None:
    driver, again_s = lost_in_speech(28_000, "half a sen")
    assert again_s == pytest.approx(driver.now - 28.0)
    driver.tell(f.MicResumed(28_000))
    driver.speak("b", 100, 2100)
    driver.completed("b", "half a sentence")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="b", text="half a sentence", start_ms=28_100, end_ms=30_100)
    ]


def test_of_speech_that_began_long_before_the_loss_what_came_is_told() -> None:
    driver, again_s = lost_in_speech(10_000, "a long story")
    assert driver.texts == ["a long story"]
    assert again_s == pytest.approx(driver.now - 30.0)


def test_a_transcription_that_ends_while_it_is_lost_ends() -> None:
    driver = Lasting()
    driver.tell(f.Lost(GONE))
    driver.tell(f.Quit(exit_code=130))
    assert [effect.exit_code for effect in driver.effects if isinstance(effect, End)] == [130]


def test_a_transcription_whose_session_ends_soon_goes_on_in_another() -> None:
    driver = Driver(reconnect_s=60.0)
    driver.tell(f.Opened(1000.0))
    driver.says("session.created", session={"id": "sess_1", "type": "transcription", "expires_at": 1010})
    driver.tell(f.MicOpened())
    (connect,) = driver.wait()
    assert connect == Connect(2, standby=True)
    assert driver.now == 8.0
    hello = json.dumps({"type": "session.created", "session": {"id": "sess_2", "expires_at": 1018}})
    driver.tell(f.OnStandby(2, f.Opened(1008.0)), f.OnStandby(2, from_wire(hello)))
    driver.tell(f.OnStandby(2, from_wire(json.dumps({"type": "session.updated", "session": {}}))))
    assert Use(2) not in driver.effects
    driver.wait()
    assert driver.now == 9.5
    assert Use(2) in driver.effects
    assert ResumeMic(1.0) in driver.effects
