"""The core of transcriptions, driven by facts: where it cuts, what it sends and tells, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import CloseMic, Effect, End, Feed, OpenMic, Send, Show, Speak
from realtime_cli.conversation.records import Ended, Transcribed, Trouble
from realtime_cli.conversation.transcription.commit_segmentation import LONGEST_MS, Cutter
from realtime_cli.conversation.transcription.transcription import (
    FAREWELL_S,
    MARKER,
    SETUP,
    Transcription,
    TranscriptionOptions,
)
from realtime_cli.protocol.client_events import InputAudioBufferCommit, SessionUpdate
from realtime_cli.protocol.dialects import Dialect, from_wire
from tests.audio_signals import tone
from tests.scripted_talk import TRANSCRIPTION

BODY = {"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}


class Driver:
    """Tells a transcription facts and keeps what it wants."""

    def __init__(self, **options: Any) -> None:
        self.core = Transcription(TranscriptionOptions(provider="test", model="m", session=BODY, **options))
        self.effects: list[Effect] = []
        self.now = 0.0

    def tell(self, *facts: f.Fact) -> list[Effect]:
        new = [effect for fact in facts for effect in self.core.handle(fact, self.now)]
        self.effects += new
        return new

    def says(self, kind: str, **fields: Any) -> list[Effect]:
        return self.tell(from_wire(json.dumps({"type": kind, "event_id": "e", **fields})))

    def begin(self) -> list[Effect]:
        self.tell(f.Opened())
        return self.says("session.created", session={"id": "sess_1", "type": "transcription"})

    def completed(self, item_id: str, text: str) -> list[Effect]:
        return self.says(f"{TRANSCRIPTION}.completed", item_id=item_id, content_index=0, transcript=text)

    def wait(self) -> list[Effect]:
        """Let time pass until something is due."""
        assert self.core.deadline is not None
        self.now = self.core.deadline
        return self.tell(f.Tick())

    @property
    def texts(self) -> list[str]:
        return [record.text for record in self.records(Transcribed)]

    def records(self, kind: type) -> list[Any]:
        return [it.record for it in self.effects if isinstance(it, Show) and isinstance(it.record, kind)]

    @property
    def commits(self) -> int:
        return sum(isinstance(it, Send) and isinstance(it.event, InputAudioBufferCommit) for it in self.effects)


def test_the_session_is_set_up_before_any_audio() -> None:
    setup, _started, audio = Driver(recording="talk").begin()
    assert isinstance(setup, Send)
    assert isinstance(setup.event, SessionUpdate)
    assert setup.event.session == BODY
    assert audio == Feed("talk", cut=False)
    assert isinstance(Driver().begin()[-1], OpenMic)


def test_a_server_that_shows_another_dialect_is_answered_in_that() -> None:
    beta = {"turn_detection": None, "type": "transcription"}
    driver = Driver(session_otherwise={Dialect.BETA: beta})
    driver.tell(f.Opened())
    effects = driver.says("transcription_session.created", session={"id": "s", "input_audio_format": "pcm16"})
    assert effects[0] == Speak(Dialect.BETA)
    (update,) = [it.event for it in effects if isinstance(it, Send)]
    assert isinstance(update, SessionUpdate)
    assert update.session == beta


def test_transcripts_are_told_in_the_order_of_speech_and_not_of_arrival() -> None:
    driver = Driver()
    driver.begin()
    for item_id, at in (("a", 100), ("b", 2000)):
        driver.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=at)
        driver.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=at + 1000)
        driver.says("input_audio_buffer.committed", item_id=item_id)
    driver.completed("b", "second")
    assert driver.texts == []
    driver.completed("a", "first")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="a", text="first", start_ms=100, end_ms=1100),
        Transcribed(item_id="b", text="second", start_ms=2000, end_ms=3000),
    ]


def test_speech_that_the_server_took_back_holds_nothing_up() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="cough", audio_start_ms=100)
    driver.says("input_audio_buffer.speech_started", item_id="word", audio_start_ms=900)
    driver.says("input_audio_buffer.committed", item_id="word")
    driver.completed("word", "hello")
    assert driver.texts == ["hello"]


def test_a_recording_ends_when_the_server_has_heard_all_of_it_and_owes_nothing() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    (marker,) = driver.tell(f.Fed())
    assert isinstance(marker, Send)
    assert marker.event.event_id == MARKER
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.says("session.updated", session=BODY)
    driver.now += 30
    assert driver.tell(f.Tick()) == []
    driver.completed("a", "words")
    assert driver.records(Ended) == []
    driver.wait()
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_speech_that_goes_on_at_the_end_of_a_recording_is_committed() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.wait()
    assert driver.commits == 1
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.completed("a", "words")
    driver.wait()
    assert driver.texts == ["words"]
    assert driver.records(Ended)[0].exit_code == 0


def test_ctrl_c_waits_for_what_was_said_and_ends_with_130() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    assert CloseMic() in driver.tell(f.Quit(exit_code=130))
    driver.tell(f.MicClosed(2000))
    assert driver.commits == 1
    driver.says("input_audio_buffer.committed", item_id="a")
    assert driver.records(Ended) == []
    driver.completed("a", "the last words")
    assert driver.texts == ["the last words"]
    assert End(130, "interrupted") in driver.effects


def test_ctrl_c_does_not_wait_for_ever_and_keeps_what_came() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta="half a sen")
    driver.tell(f.Quit(exit_code=130), f.MicClosed(2000))
    driver.wait()
    assert driver.now == FAREWELL_S
    assert driver.texts == ["half a sen"]
    assert End(130, "interrupted") in driver.effects


def test_where_this_side_cuts_the_times_are_those_of_the_cuts() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    assert Feed("talk", cut=True) in driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, False), f.Cut(9000, 12_000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id)
        driver.completed(item_id, item_id)
    assert [(it.start_ms, it.end_ms) for it in driver.records(Transcribed)] == [(0, 5000), (9000, 12_000)]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_the_rest_of_a_microphone_is_committed_only_if_somebody_spoke_in_it() -> None:
    for has_speech, commits in ((True, 1), (False, 0)):
        driver = Driver(server_cuts=False)
        driver.begin()
        driver.tell(f.Cut(0, 5000, False), f.Quit(exit_code=130), f.MicClosed(7000, has_speech))
        assert driver.commits == commits
    driver = Driver(server_cuts=False)
    driver.begin()
    driver.tell(f.Cut(0, 5000, False), f.Quit(exit_code=130), f.MicClosed(5050))
    assert driver.commits == 0
    assert End(130, "interrupted") in driver.effects


def test_a_part_that_fails_is_told_and_the_rest_goes_on() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id)
    driver.says(f"{TRANSCRIPTION}.failed", item_id="a", content_index=0, error={"message": "too noisy"})
    driver.completed("b", "words")
    assert "too noisy" in driver.records(Trouble)[0].message
    assert driver.texts == ["words"]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=1)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "invalid_api_key", "message": "no"}, 4),
        ({"code": "invalid_value", "message": "no such model", "event_id": SETUP}, 2),
    ],
)
def test_errors_that_end_a_transcription(error: dict[str, str], code: int) -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"type": "invalid_request_error", **error})
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=code)]


def test_a_server_that_falls_silent_is_a_failure_that_keeps_what_came() -> None:
    driver = Driver()
    driver.tell(f.Opened())
    driver.wait()
    assert driver.records(Ended)[0].exit_code == 4
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.wait()
    assert driver.records(Ended)[0].exit_code == 1


def test_a_refused_commit_is_owed_no_transcript() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Fed())
    driver.says("error", error={"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty"})
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


BLOCK = 2_400 * 2
"""100 ms."""


def blocks(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + BLOCK] for at in range(0, len(pcm), BLOCK))


def cuts_of(pcm: bytes) -> list[f.Cut]:
    cutter = Cutter()
    found = [cut for block in blocks(pcm) if (cut := cutter.hear(block))]
    return found + [cut for cut in [cutter.finish()] if cut]


def test_speech_without_a_pause_is_cut_at_the_longest_length() -> None:
    assert cuts_of(tone(20_000)) == [f.Cut(0, LONGEST_MS, True), f.Cut(LONGEST_MS, 20_000, True)]


def test_speech_is_cut_in_a_pause_where_there_is_one() -> None:
    noise = tone(500, level=0.002)
    assert cuts_of(tone(6000) + noise + tone(3000)) == [f.Cut(0, 6400, True), f.Cut(6400, 9500, True)]
    assert cuts_of(tone(3000) + noise + tone(3000)) == [f.Cut(0, 6500, True)]


def test_silence_is_cut_as_such_and_a_rest_under_100_ms_is_no_piece() -> None:
    assert cuts_of(bytes(48 * 5000)) == [f.Cut(0, 5000, False)]
    assert cuts_of(tone(LONGEST_MS) + tone(60)) == [f.Cut(0, LONGEST_MS, True)]
